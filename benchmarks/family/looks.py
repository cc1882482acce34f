"""Looks of the day in this process, as flows/stages/looks.py makes them in the workers."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pandas as pd

from benchmarks.redaction.footage import Footage
from data_contracts.authorisation import AuthorisedCase
from data_contracts.pointing import Pointing
from data_contracts.tables.contracts import LOOKS
from tasks.observe import looks
from tasks.people.tied import tied_rows
from tasks.search.find_segments import LONGEST_SEGMENT_S


def looked(
    case: AuthorisedCase,
    footage: Footage,
    found: pd.DataFrame,
    tracks: pd.DataFrame,
    sightings: pd.DataFrame,
    points: Sequence[Pointing] = (),
) -> pd.DataFrame:
    """LOOKS of everybody in DETECTIONS, learnt from the tracks that a face or pointing ties to the
    subject; none where no track is sure.
    """
    own = tied_rows(tracks, sightings, points)
    segments = list(_segments(footage, found))
    key = secrets.token_bytes(32)  # the case's key of a case that is nowhere stored
    learnt = looks.build_looks(
        case,
        [chosen for s in segments if (chosen := s.only(own)).chosen.any()],
        lambda salt: hmac.digest(key, salt, "sha256"),
    )
    if learnt is None:
        return LOOKS.empty()
    compared = [looks.compare_looks(case, segment, learnt) for segment in segments]
    return pd.concat([c for c in compared if len(c)] or [LOOKS.empty()], ignore_index=True)


def _segments(footage: Footage, found: pd.DataFrame) -> Iterator[looks.Footage]:
    for camera in footage.cameras:
        parts = footage.segments[camera]
        last = parts[-1].start_utc + timedelta(seconds=LONGEST_SEGMENT_S)
        ends = [*(part.start_utc for part in parts[1:]), last]
        for (start, data, _), end in zip(parts, ends, strict=True):
            inside = (found["camera_id"] == camera) & (found["t_utc"] >= start)
            boxes = found[inside & (found["t_utc"] < end)].reset_index(drop=True)
            yield looks.Footage(footage.site.by_id[camera], start, data, boxes)
