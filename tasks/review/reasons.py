"""What speaks for and against, in words and numbers, as a reviewer reads it.

Numbers are log likelihood ratios (natural logarithm): 2.3 is ten to one that it is the subject,
-2.3 ten to one that it is somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import pandas as pd

from data_contracts.text import mark

_SAYS_SOMETHING = 0.7
Speaks = Literal["for", "against", "neither"]


class Reason(NamedTuple):
    """One thing that speaks for or against: `about` face, looks, way, place, pointing, time,
    distance, masks, doubt or reviewers. `message` with its `values` is what a catalogue translates.
    `ratio`: its log likelihood ratio where it has one.
    """

    about: str
    speaks: Speaks
    message: str
    values: Mapping[str, str] = {}
    ratio: float | None = None

    @property
    def words(self) -> str:
        """The sentence in English."""
        return self.message % self.values


def of_sighting(row: Mapping[Any, Any], track: pd.DataFrame) -> tuple[Reason, ...]:
    """Of a row of SIGHTINGS and its TRACKS: is this the subject?"""
    found = [*_faces(track), *_numbers(row)]
    if row["basis"] == "position":
        words = mark(
            "joined by place and time with a track on another camera that is the subject's"
        )
        found.append(Reason("place", "for", words))
    if row["basis"] == "confirmed":
        found.append(Reason("reviewers", "for", mark("two reviewers confirmed this person")))
    if row["basis"] == "pointed":
        found.append(Reason("pointing", "for", mark("somebody pointed at this person")))
    if not pd.isna(row["rival"]):
        words = mark("somebody else, seen elsewhere at this time, may be the subject as well")
        found.append(Reason("way", "against", words))
    return tuple(found)


def of_contact(row: Mapping[Any, Any]) -> tuple[Reason, ...]:
    """Of a row of CONTACTS: was this one person, as near and for as long as is said?"""
    low, expected, high = (row[f"exposure_s{c}"] for c in ("_lo", "", "_hi"))
    met = float(row["probability"])
    spent = {"s": f"{expected:.0f}", "low": f"{low:.0f}", "high": f"{high:.0f}"}
    near = {"nearest": f"{row['min_m']:.1f}", "median": f"{row['median_m']:.1f}"}
    found = [
        Reason(
            "time",
            "for" if met >= 0.5 else "against",
            mark("%(s)s s (%(low)s to %(high)s) %(rule)s; the rule is met with probability %(p)s"),
            {**spent, "rule": str(row["rule"]), "p": f"{met:.2f}"},
        ),
        Reason(
            "distance",
            "for",
            mark("nearest %(nearest)s m, median %(median)s m, by the cameras %(cameras)s"),
            {**near, "cameras": ", ".join(str(row["cameras"]).split(","))},
        ),
    ]
    if row["doubt"]:
        found.append(Reason("doubt", "against", "%(doubt)s", {"doubt": str(row["doubt"])}))
    words = mark("mask of the subject: %(subject)s; of the contact: %(person)s")
    masks = {"subject": str(row["subject_mask"]), "person": str(row["person_mask"])}
    return (*found, Reason("masks", "neither", words, masks))


def _numbers(row: Mapping[Any, Any]) -> list[Reason]:
    """What the evidence of the whole person, over all cameras, comes to, kind by kind."""
    about = {
        "face": ("faces_llr", mark("all faces of this person together")),
        "looks": (
            "looks_llr",
            mark("clothes and height, against the subject's looks of the day"),
        ),
        "way": (
            "way_llr",
            mark("the way, the time, and others who may be the subject instead"),
        ),
    }
    return [
        Reason(name, _speaks(float(row[column])), words, {}, round(float(row[column]), 2))
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
    masked = looked[looked["subject_p"].isna() & looked["masked_llr"].notna()]
    missed = looked[looked["subject_p"].isna() & looked["masked_llr"].isna()]
    if looked.empty:
        words = mark("no face of this person was large enough to compare")
        return [Reason("face", "neither", words)]
    found = []
    if len(matched):
        words = mark("%(count)s faces match, up to %(px)s px wide, likely to %(p)s at best")
        told = _told(matched) | {"p": f"{matched['subject_p'].max():.2f}"}
        found.append(Reason("face", "for", words, told))
    if len(masked):
        words = mark("%(count)s masked faces are like the subject's, up to %(px)s px wide")
        found.append(Reason("face", "for", words, _told(masked)))
    if len(missed):
        words = mark("%(count)s faces do not match, up to %(px)s px wide")
        found.append(Reason("face", "against", words, _told(missed)))
    return found


def _told(faces: pd.DataFrame) -> dict[str, str]:
    return {"count": str(len(faces)), "px": f"{faces['face_px'].max():.0f}"}
