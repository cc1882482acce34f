"""From detections to anonymous persons and the subject's sightings. What is known of the subject
tells where tracks were exchanged, and mended tracks are looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from data_contracts.authorisation import AuthorisedCase
from data_contracts.camera import Site
from data_contracts.pointing import Pointing
from data_contracts.policy import SearchSettings
from data_contracts.record import Record
from data_contracts.review import Decision
from tasks.people.all_evidence import with_looks
from tasks.people.decided import settled_tracks
from tasks.people.face_evidence import SightSettings
from tasks.people.join import JoinSettings, join
from tasks.people.pointed import pointed_tracks
from tasks.people.site_tracks import SiteTrackSettings, mend, settle, track_cameras
from tasks.people.subject import by_person, owners, sight
from tasks.people.told import tell

# Mended tracks are looked at again so often: each time those are mended that stand out clearest.
_ROUNDS = 3


class PeopleSettings(Record):
    """How people are found in detections."""

    tracks: SiteTrackSettings = SiteTrackSettings()
    join: JoinSettings = JoinSettings()
    sight: SightSettings = SightSettings()


class People(NamedTuple):
    """TRACKS, PERSONS, MEMBERS with `subject_p`, and SIGHTINGS."""

    tracks: pd.DataFrame
    persons: pd.DataFrame
    members: pd.DataFrame
    sightings: pd.DataFrame


class Known(NamedTuple):
    """What is known of the subject beside their face: LOOKS, who was pointed at, and what two
    reviewers decided.
    """

    looks: pd.DataFrame | None = None
    points: Sequence[Pointing] = ()
    decisions: Sequence[Decision] = ()


def everybody(
    case: AuthorisedCase,
    detections: pd.DataFrame,
    site: Site,
    search: SearchSettings,
    rng: Callable[[], np.random.Generator],
    known: Known | None = None,
    settings: PeopleSettings | None = None,
) -> People:
    """Track each camera's DETECTIONS, join overlapping cameras on the ground, and say which tracks
    are the subject's. `rng` gives the generator that names persons, the same each time. Raises
    NotAuthorised (see `tasks.people.subject.sight`).
    """
    settings = settings or PeopleSettings()
    known = known or Known()
    by_camera = track_cameras(detections, site, settings.tracks)
    mended = mend(by_camera, site, settings.tracks)
    for further in reversed(range(_ROUNDS)):
        tracks = settle(mended, site, settings.tracks)
        settled = settled_tracks(tracks, known.decisions, settings.sight)
        never = settled.never_together(tracks, pointed_tracks(tracks, known.points))
        persons, members = join(tracks, site, rng(), settings.join, never)
        sightings, members = sight(
            case, tracks, members, search, settings.sight, known.looks, known.points, settled, site
        )
        found = People(tracks, persons, members, sightings)
        told = _told(found, known, settings.sight) if further else None
        if told is None:
            break
        before, mended = mended, mend(by_camera, site, settings.tracks, told)
        if all(now.equals(then) for now, then in zip(mended, before, strict=True)):
            break
    return found


def _told(found: People, known: Known, settings: SightSettings) -> pd.DataFrame | None:
    """What is said of everybody; None where nothing is."""
    tracks = found.tracks
    if tracks.empty:
        return None
    owner = owners(tracks, found.members)
    keyed = by_person(tracks, owner)
    if known.looks is not None and len(known.looks):
        keyed = with_looks(keyed, known.looks)
    pointed: dict[str, list[pd.Timestamp]] = {}
    for point in known.points:
        for key in pointed_tracks(tracks, (point,)):
            pointed.setdefault(owner[key], []).append(pd.Timestamp(point.t_utc))
    told = tell(keyed, settings, pointed)
    return told if told[["before", "after"]].to_numpy().any() else None
