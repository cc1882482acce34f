"""Has footage arrived that a finished run did not have?"""

from __future__ import annotations

from data_contracts import object_key
from flows.context import OpenCase, environment
from flows.publish import Manifest, segments_of, windows_of
from tasks.footage import segments_for


def has_new_footage(case: OpenCase, manifest: Manifest) -> bool:
    """Whether the run's windows now have a segment, or a version of one, that the run did not read."""
    store = environment().store
    now, _gaps = segments_for(
        windows_of(case.vault, manifest.result), lambda prefix: store.list(object_key.FOOTAGE, prefix)
    )
    had = segments_of(case.vault, manifest.result)
    return not set(zip(now["key"], now["etag"], strict=True)) <= set(zip(had["key"], had["etag"], strict=True))
