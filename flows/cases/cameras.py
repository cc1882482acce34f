"""The site's camera file, changed by several people without one losing what another did."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from data_contracts import object_key
from data_contracts.camera import MAX_BYTES, Camera, Site, read_site
from data_contracts.clock import true_time
from data_contracts.errors import BadInput, NotFound, ObjectChanged, StoreError
from data_contracts.object_key import read_segment
from data_contracts.time_zone import zone_fault
from flows.runtime.audit import audit
from flows.runtime.environment import Environment
from tasks.calibration.camera_file import camera_digest

CONTENT_TYPE = "application/geo+json"
# Of two who write at once one is first; the other changes what the first one wrote.
_TRIES = 5
_BUSY = "the camera file is being changed by others all the time: try again"


class CameraFile(NamedTuple):
    """The camera file as it was read: `text` None where the site has none."""

    text: bytes | None
    etag: str

    @property
    def digest(self) -> str:
        """SHA-256 of it; empty where there is none."""
        return "" if self.text is None else hashlib.sha256(self.text).hexdigest()


def camera_file(env: Environment) -> CameraFile:
    """The camera file of the site bucket as it is now."""
    for _ in range(_TRIES):
        try:
            etag = env.store.stat(object_key.SITE, object_key.CAMERAS).etag
            data = env.store.get(object_key.SITE, object_key.CAMERAS, at_most=MAX_BYTES, etag=etag)
        except NotFound:
            return CameraFile(None, "")
        except ObjectChanged:
            continue
        return CameraFile(data, etag)
    raise StoreError(_BUSY)


def checked_site(data: bytes, name: str = object_key.CAMERAS) -> Site:
    """The site of a camera file that is about to be published. Raises BadInput with the camera and
    the field that is wrong.
    """
    found = read_site(data, name)
    for camera in found.cameras:
        fault = zone_fault(camera.time_zone)
        if fault:
            raise BadInput(f"{name}: camera {camera.camera_id}: time_zone {fault}")
    return found


def change_cameras(env: Environment, change: Callable[[bytes | None], bytes]) -> None:
    """Read the camera file, change it, and write it in the place of the very file that was read;
    where somebody else wrote meanwhile, change theirs.

    `change` gets the file (None: there is none) and raises where it cannot be changed any more.
    The audit log has who did it and the new content's digest before. Raises BadInput where the
    result is no camera file, StoreError where others never stop writing.
    """
    for _ in range(_TRIES):
        before = camera_file(env)
        data = change(before.text)
        if data == before.text:
            return
        checked_site(data)
        what = (object_key.CAMERAS, f"sha256:{hashlib.sha256(data).hexdigest()}")
        audit(env, "configure", role="administrator", objects=what)
        if _written(env, before, data):
            return
        reason = "somebody else changed the cameras meanwhile"
        audit(
            env,
            "configure",
            role="administrator",
            objects=what,
            outcome="failed",
            reason=reason,
        )
    raise StoreError(_BUSY)


def _written(env: Environment, before: CameraFile, data: bytes) -> bool:
    key = object_key.CAMERAS
    if before.text is None:
        return env.store.put_if_absent(object_key.SITE, key, data, CONTENT_TYPE)
    return env.store.replace(object_key.SITE, key, data, before.etag, CONTENT_TYPE)


def unchanged(text: bytes | None, camera_id: str, digest: str) -> bytes:
    """The file, where it says of a camera what it said when it had this digest
    (`tasks.calibration.camera_file.camera_digest`). Raises BadInput where somebody changed that.
    """
    if text is None or camera_digest(text, camera_id) != digest:
        raise BadInput(
            f"somebody else changed camera {camera_id} since you opened this page: open it again, "
            "look at what they did, and calibrate anew if need be"
        )
    return text


def last_footage(env: Environment, camera: Camera) -> datetime | None:
    """When the newest recording of a camera begins, true time; None where it has none."""
    found = env.footage.last(camera.camera_id)
    name = read_segment(found.key) if found is not None else None
    return None if name is None else true_time(camera.clock, name.start_utc)
