"""Has footage arrived that a finished run did not have?"""

from __future__ import annotations

from data_contracts.run import RunManifest
from flows.runtime.environment import environment
from flows.runtime.open_case import OpenCase
from flows.runtime.segment_job import lengths, listed
from flows.stages.publish import segments_of, windows_of
from tasks.search.find_segments import segments_for


def has_new_footage(case: OpenCase, manifest: RunManifest) -> bool:
    """Whether the run's windows now have a segment, or a version of one, that the run did not
    read.
    """
    env = environment()
    windows = windows_of(case.vault, manifest.result)
    now, _gaps = segments_for(windows, listed(env), lengths(env), clocks=case.site.clocks)
    had = segments_of(case.vault, manifest.result)
    return not set(zip(now["key"], now["etag"], strict=True)) <= set(
        zip(had["key"], had["etag"], strict=True)
    )
