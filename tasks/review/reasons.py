"""What speaks for and against, in words and numbers, as a reviewer reads it.

Numbers are log likelihood ratios (natural logarithm): 2.3 is ten to one that it is the subject,
-2.3 ten to one that it is somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import pandas as pd

_SAYS_SOMETHING = 0.7
Speaks = Literal["for", "against", "neither"]


class Reason(NamedTuple):
    """One thing that speaks for or against: `about` face, looks, way, place, pointing, time,
    distance, masks, doubt or reviewers. `ratio`: its log likelihood ratio where it has one.
    """

    about: str
    speaks: Speaks
    words: str
    ratio: float | None = None


def of_sighting(row: Mapping[Any, Any], track: pd.DataFrame) -> tuple[Reason, ...]:
    """Of a row of SIGHTINGS and its TRACKS: is this the subject?"""
    found = [*_faces(track), *_numbers(row)]
    if row["basis"] == "position":
        words = "joined by place and time with a track on another camera that is the subject's"
        found.append(Reason("place", "for", words))
    if row["basis"] == "confirmed":
        found.append(Reason("reviewers", "for", "two reviewers confirmed this person"))
    if row["basis"] == "pointed":
        found.append(Reason("pointing", "for", "somebody pointed at this person"))
    if not pd.isna(row["rival"]):
        words = "somebody else, seen elsewhere at this time, may be the subject as well"
        found.append(Reason("way", "against", words))
    return tuple(found)


def of_contact(row: Mapping[Any, Any]) -> tuple[Reason, ...]:
    """Of a row of CONTACTS: was this one person, as near and for as long as is said?"""
    low, expected, high = (row[f"exposure_s{c}"] for c in ("_lo", "", "_hi"))
    met = float(row["probability"])
    found = [
        Reason(
            "time",
            "for" if met >= 0.5 else "against",
            f"{expected:.0f} s ({low:.0f} to {high:.0f}) {row['rule']}; the rule is met with "
            f"probability {met:.2f}",
        ),
        Reason(
            "distance",
            "for",
            f"nearest {row['min_m']:.1f} m, median {row['median_m']:.1f} m, by the cameras "
            f"{row['cameras']}",
        ),
    ]
    if row["doubt"]:
        found.append(Reason("doubt", "against", str(row["doubt"])))
    words = f"mask of the subject: {row['subject_mask']}; of the contact: {row['person_mask']}"
    return (*found, Reason("masks", "neither", words))


def _numbers(row: Mapping[Any, Any]) -> list[Reason]:
    """What the evidence of the whole person, over all cameras, comes to, kind by kind."""
    about = {
        "face": ("faces_llr", "all faces of this person together"),
        "looks": ("looks_llr", "clothes and height, against the subject's looks of the day"),
        "way": ("way_llr", "the way, the time, and others who may be the subject instead"),
    }
    return [
        Reason(name, _speaks(float(row[column])), words, round(float(row[column]), 2))
        for name, (column, words) in about.items()
        if not pd.isna(row[column])
    ]


def _speaks(ratio: float) -> Speaks:
    """Less than two to one says nothing."""
    if abs(ratio) < _SAYS_SOMETHING:
        return "neither"
    return "for" if ratio > 0 else "against"


def _faces(track: pd.DataFrame) -> list[Reason]:
    """What the faces of a track say."""
    looked = track[track["face_px"].notna()]
    matched = looked[looked["subject_p"].notna()]
    missed = looked[looked["subject_p"].isna()]
    if looked.empty:
        return [Reason("face", "neither", "no face of this person was large enough to compare")]
    found = []
    if len(matched):
        words = (
            f"{len(matched)} faces match, up to {matched['face_px'].max():.0f} px wide, likely to "
            f"{matched['subject_p'].max():.2f} at best"
        )
        found.append(Reason("face", "for", words))
    if len(missed):
        words = f"{len(missed)} faces do not match, up to {missed['face_px'].max():.0f} px wide"
        found.append(Reason("face", "against", words))
    return found
