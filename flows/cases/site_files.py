"""Publishing what belongs to a site: its cameras and its trusted keys."""

from __future__ import annotations

import hashlib

from data_contracts import object_key
from flows.runtime.audit import audit
from flows.runtime.environment import Environment


def publish_site_file(env: Environment, key: str, data: bytes, content_type: str) -> None:
    """Replace the trusted keys or the camera file, after the audit log has who did it and the new
    content's digest.
    """
    what = (key, f"sha256:{hashlib.sha256(data).hexdigest()}")
    audit(env, "configure", role="administrator", objects=what)
    env.store.put(object_key.SITE, key, data, content_type)
