"""Which tracks are the subject's: by what faces say and who was pointed at
(`tasks.people.face_evidence`), where looks were compared by clothes and ways too
(`tasks.people.all_evidence`), and as two reviewers decided (`tasks.people.decided`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from data_contracts.authorisation import AuthorisedCase
from data_contracts.camera import Site
from data_contracts.pointing import Pointing
from data_contracts.policy import SearchSettings
from data_contracts.tables.contracts import MEMBERS, SIGHTINGS
from tasks.consent.authorise import require
from tasks.people.all_evidence import by_way, looks_evidence, with_looks
from tasks.people.decided import NOTHING_SETTLED, Settled, told_of
from tasks.people.face_evidence import (
    SightSettings,
    asked_of,
    by_ties,
    face_evidence,
    rivals_by_ties,
    speaks_by_face,
)
from tasks.people.pointed import pointed_tracks


def sight(
    case: AuthorisedCase,
    tracks: pd.DataFrame,
    members: pd.DataFrame,
    search: SearchSettings,
    settings: SightSettings | None = None,
    looks: pd.DataFrame | None = None,
    points: Sequence[Pointing] = (),
    settled: Settled = NOTHING_SETTLED,
    site: Site | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sightings (contract SIGHTINGS) and members with `subject_p` (contract MEMBERS).

    Every track of a person who is probably the subject is a sighting. Where nobody is, the few
    whose masked faces are most like the subject's are asked about, however unlikely each is: a
    sighting below the policy's `propose_probability` is in no trajectory. A track that was joined
    to no one (no calibration) stands for itself. Of people who were at different places at one
    time, at most one can be the subject. With `looks` (contract LOOKS), faces, `points`, clothes,
    body height over the `site`'s ground and the way between people add up. Whom two reviewers
    confirmed (`settled`) is the subject; whom they rejected is not, and owns no sighting. Raises
    NotAuthorised where faces were compared without the face scope, and where there are looks or
    points without the appearance scope.
    """
    _require(case, tracks, looks, points)
    settings = settings or SightSettings()
    if tracks.empty:
        return SIGHTINGS.empty(), MEMBERS.shape(members)
    owner = owners(tracks, members)
    keyed = by_person(tracks, owner)
    pointed = pointed_tracks(tracks, points)
    told = told_of(owner, pointed, settled, settings)
    found = _weighed(keyed, looks, told, search, settings, site)
    probability = _as_decided(found.probability, owner, settled, search)
    rows = []
    likely = [name for name, p in probability.items() if p >= search.propose_probability]
    if not likely:
        asked = {p: c for p, c in asked_of(keyed, settings).items() if p not in told}
        probability |= asked
        likely = [*asked]
    for _, part in keyed[keyed["person"].isin(likely)].groupby(
        ["camera_id", "track_id"], sort=True
    ):
        person = str(part["person"].iloc[0])
        row = _sighting(part, probability[person], search)
        track = (str(part["camera_id"].iloc[0]), int(part["track_id"].iloc[0]))
        row["review"] = settled.review_of(track)
        basis = _basis(part, found.alone.get(person, 0.0), track in pointed, row, search)
        rows.append(row | {"basis": basis} | found.evidence_of(person, probability[person]))
    rows.sort(key=lambda row: (row["start_utc"], row["camera_id"], row["track_id"]))
    for i, row in enumerate(rows, start=1):
        row["sighting_id"] = f"S-{i:02d}"
    return SIGHTINGS.shape(rows), MEMBERS.shape(
        members.assign(subject_p=members["person_id"].map(probability))
    )


@dataclass(frozen=True)
class _Weighed:
    """By person: the probability, the one by ties `alone`, who else it may be, and what each kind
    of evidence says (log likelihood ratios).
    """

    probability: dict[str, float]
    alone: dict[str, float]
    rivals: dict[str, str]
    faces: dict[str, float]
    looks: dict[str, float]
    told: dict[str, float]

    def evidence_of(self, person: str, probability: float) -> dict[str, Any]:
        """A sighting's columns on what speaks for and against somebody of this probability, where
        they were not weighed with the others.
        """
        p = min(max(self.probability.get(person, probability), 1e-9), 1 - 1e-9)
        known = sum(of.get(person, 0.0) for of in (self.faces, self.looks, self.told))
        return {
            "rival": self.rivals.get(person),
            "faces_llr": self.faces.get(person),
            "looks_llr": self.looks.get(person),
            "way_llr": math.log(p / (1 - p)) - known,
        }


def _weighed(
    keyed: pd.DataFrame,
    looks: pd.DataFrame | None,
    told: dict[str, float],
    search: SearchSettings,
    settings: SightSettings,
    site: Site | None,
) -> _Weighed:
    """All that is known of each person, taken together."""
    faces = face_evidence(keyed, settings)
    alone = by_ties(keyed, settings, told)
    if looks is None or looks.empty:
        rivals = rivals_by_ties(alone, keyed, search, settings)
        return _Weighed(alone, alone, rivals, faces, {}, told)
    dressed = with_looks(keyed, looks)
    said = looks_evidence(dressed, alone, search, site)
    probability, rivals = by_way(dressed, alone, told, search, settings, said)
    return _Weighed(probability, alone, rivals, faces, said, told)


def _as_decided(
    probability: dict[str, float],
    owner: dict[tuple[Any, Any], str],
    settled: Settled,
    search: SearchSettings,
) -> dict[str, float]:
    """The probabilities, of which those whom reviewers confirmed stand, and those whom they
    rejected are left out.
    """
    confirmed = {owner[key] for key in settled.confirmed}
    rejected = {owner[key] for key in settled.rejected}
    stands = {p: max(probability.get(p, 0.0), search.high_probability) for p in confirmed}
    return {p: c for p, c in (probability | stands).items() if p not in rejected}


def _require(
    case: AuthorisedCase,
    tracks: pd.DataFrame,
    looks: pd.DataFrame | None,
    points: Sequence[Pointing],
) -> None:
    require(case)
    if tracks["face_px"].notna().any() or tracks["subject_p"].notna().any():
        require(case, "face")
    if points or (looks is not None and len(looks)):
        require(case, "appearance")


def _basis(
    part: pd.DataFrame, alone: float, pointed: bool, row: dict[str, Any], search: SearchSettings
) -> str:
    """What a sighting rests on: looks, where the band is not reached without them."""
    if row["review"] == "confirmed":
        return "confirmed"
    high = row["band"] == "high"
    by_looks = row["probability"] >= search.propose_probability > alone
    if by_looks or (high and alone < search.high_probability):
        return "looks"
    if pointed:
        return "pointed"
    return "face" if speaks_by_face(part).any() else "position"


def by_person(tracks: pd.DataFrame, owner: Mapping[tuple[Any, Any], str]) -> pd.DataFrame:
    """TRACKS with the `person` that each row is of."""
    keys = zip(tracks["camera_id"], tracks["track_id"], strict=True)
    return tracks.assign(person=[owner[key] for key in keys])


def owners(tracks: pd.DataFrame, members: pd.DataFrame) -> dict[tuple[Any, Any], str]:
    """The person of each (camera, track); tracks joined to no one stand for themselves."""
    owner: dict[tuple[Any, Any], str] = {
        (camera, number): f"{camera}/{number}"
        for camera, number in zip(tracks["camera_id"], tracks["track_id"], strict=True)
    }
    owner |= dict(
        zip(
            zip(members["camera_id"], members["track_id"], strict=True),
            members["person_id"].astype(str),
            strict=True,
        )
    )
    return owner


def _sighting(part: pd.DataFrame, probability: float, search: SearchSettings) -> dict[str, Any]:
    matched = part[speaks_by_face(part)]
    return {
        "camera_id": str(part["camera_id"].iloc[0]),
        "track_id": int(part["track_id"].iloc[0]),
        "start_utc": part["t_utc"].min(),
        "end_utc": part["t_utc"].max(),
        "probability": probability,
        "band": "high" if probability >= search.high_probability else "question",
        "n_faces": len(matched),
        "max_face_px": float(matched["face_px"].max()) if len(matched) else None,
        "x_m": float(part["x_m"].median()) if part["x_m"].notna().any() else None,
        "y_m": float(part["y_m"].median()) if part["y_m"].notna().any() else None,
    }
