"""`encounter camera clock --read`: what the clock in a recording's picture says of its files'."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from pathlib import Path

from data_contracts.camera import Camera
from data_contracts.errors import BadInput
from data_contracts.time import Interval
from flows.cli.console import say
from tasks.calibration.burnt_in_clock import burnt_in_clock
from tasks.footage.local_time import instant, zone_of
from tasks.footage.reading import frames
from tasks.footage.recorders import read_name, recorders

# Twenty pictures, three fifths of a second apart, show every fifth of a second.
_PICTURES = 20
_HZ = 5
_EVERY = 3


def tell_clock(recording: Path, cameras: Path, camera: Camera, begins_utc: datetime | None) -> None:
    """Read the clock in a recording and say how the file's name differs, and what would correct
    it. Raises BadInput or VideoUnreadable.
    """
    zone = zone_of(camera.time_zone)
    begins_utc = begins_utc or _begins(recording, zone)
    last = begins_utc + timedelta(seconds=_PICTURES * _EVERY / _HZ + 1)
    try:
        with recording.open("rb", buffering=0) as source:
            shown = frames(source, begins_utc, _HZ, Interval(begins_utc, last))
            chosen = islice(shown, 0, _PICTURES * _EVERY, _EVERY)
            found = burnt_in_clock(((f.t_utc, f.image) for f in chosen), zone)
    except OSError as error:
        raise BadInput(f"{recording}: {error.strerror or error}") from None
    say(
        f"{camera.camera_id}: the clock in the picture ({found.zone}) is "
        f"{abs(found.ahead_s):.2f} s {'ahead of' if found.ahead_s >= 0 else 'behind'} the file's "
        f"(deviation {found.sd_s:.2f} s, {found.pictures} pictures)"
    )
    say(
        "if the picture's is right: encounter camera clock "
        f"--cameras {cameras} --camera {camera.camera_id} "
        f"--ahead {-found.ahead_s:.2f} --sd {found.sd_s:.2f}"
    )


def _begins(recording: Path, zone: tzinfo) -> datetime:
    """When the recording begins by its name, which may be a part of its path. Raises BadInput."""
    known = recorders()
    parts = recording.resolve().with_suffix("").parts
    for first in range(len(parts) - 1, -1, -1):
        named = read_name("/".join(parts[first:]), known)
        if named is not None:
            return instant(named.start, UTC if named.in_utc else zone)
    raise BadInput(f"{recording}: no recorder names files so; say when it begins with --begins")
