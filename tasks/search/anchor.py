"""Anchors: where and when the subject was, as claimed in the itinerary or as seen."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Literal

import pandas as pd

from data_contracts.camera import Site
from data_contracts.case import CaseRequest, Visit
from data_contracts.gap import GapRow, gap_row
from data_contracts.place_name import named_alike, plain, words_of
from data_contracts.policy import InfectiousWindow, Policy, SearchSettings
from data_contracts.record import Record
from data_contracts.tables.contracts import GAPS
from data_contracts.time import Interval, Utc, utc_of

# A face turned away this long between two looks is still the same presence in one view; what lies
# between is followed densely afterwards anyway.
MERGE_WITHIN_S = 10.0
# How many known names a gap proposes for an unknown place.
_NEAREST = 3
# More cameras than this are not one place, but a word that many have ("street").
_MOST_OF_PLACE = 50
# Of so many names the nearest are chosen: difflib compares 300 in 10 ms.
_MOST_PROPOSED = 150
# A word of a place and of a name are compared where they begin with the same letters.
_BEGIN = 2
# Key frames of surveillance encoders are up to a few seconds apart, so a sighting's ends are known
# only that well.
SIGHTING_SLACK_S = 5.0
# The end of an infectious window without one: later than any footage, early enough for date
# arithmetic.
NO_END = datetime(2999, 1, 1, tzinfo=UTC)


class Anchor(Record):
    """The subject was (or says to have been) in view of one of `camera_ids` from `from_utc` to
    `to_utc`, give or take `slack_s`. `probability` that a sighting is the subject; 1 for a claim.
    """

    anchor_id: str
    kind: Literal["claimed", "sighting"]
    camera_ids: tuple[str, ...]
    from_utc: Utc
    to_utc: Utc
    slack_s: float
    label: str
    probability: float = 1.0

    @property
    def interval(self) -> Interval:
        """The anchor's own time with its slack on either side."""
        slack = timedelta(seconds=self.slack_s)
        return Interval(self.from_utc - slack, self.to_utc + slack)


def claimed_anchors(request: CaseRequest, site: Site) -> tuple[list[Anchor], pd.DataFrame]:
    """One anchor a visit, and GAPS rows for places that could not be found.

    A visit's `cameras` come first; else cameras whose name or id shares a word with the place. A
    place that no camera is named like is a gap that says which known names come nearest, and so is
    one that too many are named like: it is never searched for on all cameras.
    """
    anchors = []
    gaps = []
    for number, visit in enumerate(request.itinerary, start=1):
        unknown = [c for c in visit.cameras if c not in site.by_id]
        cameras = tuple(c for c in visit.cameras if c in site.by_id)
        how = "cameras named in the itinerary" if cameras else "cameras named like the place"
        like = () if cameras else _by_words(visit.place, site)
        if unknown:
            gaps.append(
                _place_gap(
                    visit,
                    "the itinerary names cameras that the site does not have: "
                    f"{', '.join(unknown)}",
                )
            )
        if not cameras and not like:
            gaps.append(_place_gap(visit, _unknown_place(visit.place, site)))
            continue
        if len(like) > _MOST_OF_PLACE:
            gaps.append(_place_gap(visit, _too_wide_place(visit.place, len(like))))
            continue
        anchors.append(
            Anchor(
                anchor_id=f"visit-{number}",
                kind="claimed",
                camera_ids=cameras or like,
                from_utc=visit.from_utc,
                to_utc=visit.to_utc,
                slack_s=visit.tolerance_s,
                label=f'said to be at "{visit.place}" ({how})',
            )
        )
    return anchors, GAPS.shape(gaps)


def sighting_anchors(
    seen: pd.DataFrame,
    propose_probability: float = SearchSettings().propose_probability,
    within_s: float = MERGE_WITHIN_S,
    slack_s: float = SIGHTING_SLACK_S,
) -> list[Anchor]:
    """What one camera saw, joined where it follows within `within_s`, as anchors in order of time.

    `seen` is of contract CANDIDATES (camera_id, t_utc, subject_p) or SIGHTINGS (camera_id,
    start_utc, end_utc, probability). Rows below `propose_probability` do not count; an anchor's
    probability is its best row's. Rows without a probability count as just proposed: they move the
    search on but rule nothing out.
    """
    rows = pd.DataFrame(
        {
            "camera_id": seen["camera_id"],
            "start": seen["start_utc"] if "start_utc" in seen else seen["t_utc"],
            "end": seen["end_utc"] if "end_utc" in seen else seen["t_utc"],
            "p": seen.get("probability", seen.get("subject_p", propose_probability)),
        }
    )
    rows = rows[rows["p"] >= propose_probability].sort_values(
        ["camera_id", "start", "end"], kind="stable"
    )
    anchors: list[Anchor] = []
    for camera, start, end, p in rows.itertuples(index=False):
        first = utc_of(start)
        last = utc_of(end)
        before = anchors[-1] if anchors and anchors[-1].camera_ids == (camera,) else None
        if before is not None and (first - before.to_utc).total_seconds() <= within_s:
            joined = {
                "to_utc": max(last, before.to_utc),
                "probability": max(float(p), before.probability),
            }
            anchors[-1] = before.model_copy(update=joined)
            continue
        anchors.append(
            Anchor(
                anchor_id=f"seen-{camera}-{first:%Y%m%dT%H%M%S}",
                kind="sighting",
                camera_ids=(str(camera),),
                from_utc=first,
                to_utc=last,
                slack_s=slack_s,
                label=f"seen on {camera}",
                probability=float(p),
            )
        )
    return sorted(anchors, key=lambda a: (a.from_utc, a.camera_ids))


def infectious_window(request: CaseRequest, policy: Policy) -> Interval:
    """When the subject could infect: the policy's days around onset, or around the sample where
    there was none.
    """
    rule = (
        policy.infectious_asymptomatic
        if request.onset_utc is None
        else policy.infectious_symptomatic
    )
    return infectious_span(rule, request.anchor_utc)


def infectious_span(rule: InfectiousWindow, anchor_utc: datetime) -> Interval:
    """A policy's days around onset or sample."""
    start = anchor_utc + timedelta(days=rule.from_days)
    return Interval(
        start, NO_END if rule.to_days is None else anchor_utc + timedelta(days=rule.to_days)
    )


def cameras_named_like(place: str, site: Site) -> tuple[str, ...]:
    """The cameras that a place of the itinerary is looked for on; empty where none is named like
    it, or too many are.
    """
    found = _by_words(place, site)
    return found if len(found) <= _MOST_OF_PLACE else ()


def nearest_places(place: str, site: Site) -> tuple[str, ...]:
    """The known names that are most like a place by their letters."""
    names = _names_to_propose(place, site)
    near = difflib.get_close_matches(plain(place), names, n=_NEAREST, cutoff=0.0)
    return tuple(names[n] for n in near)


def _place_gap(visit: Visit, detail: str) -> GapRow:
    advice = "name the cameras of this place in the itinerary's cameras column"
    return gap_row("not_covered", "", Interval(visit.from_utc, visit.to_utc), detail, advice)


def _unknown_place(place: str, site: Site) -> str:
    """That nothing was searched, and the known names that are most like it by their letters."""
    near = nearest_places(place, site)
    return f'no camera is named like "{place}", so none was looked at' + (
        f"; nearest: {', '.join(near)}" if near else ""
    )


def _too_wide_place(place: str, count: int) -> str:
    return (
        f'{count} cameras are named like "{place}", more than the {_MOST_OF_PLACE} of one place, '
        "so none of them was looked at"
    )


def _names_to_propose(place: str, site: Site) -> dict[str, str]:
    """Names of cameras as they are written, by their plain form: those with a word that begins like
    one of the place, and on a small site all.
    """
    begins = {word[:_BEGIN] for word in words_of(place)}
    found = (c for begin in sorted(begins) for _, ids in site.map.words(begin) for c in ids)
    ids = dict.fromkeys(islice(chain(found, site.by_id), _MOST_PROPOSED))
    cameras = [site.by_id[camera_id] for camera_id in ids]
    return {plain(name): name for c in cameras for name in (c.name, c.camera_id) if name}


def _by_words(place: str, site: Site) -> tuple[str, ...]:
    """Cameras sharing a word with the place, by their ids. Words on every camera, or on too many,
    tell nothing while others do; a number in the place ("platform 3") narrows the cameras that its
    words found.
    """
    hits = {word: _cameras_with(word, site) for word in words_of(place)}
    named = [ids for word, ids in hits.items() if ids and not word.isdigit()]
    numbered = set().union(*(ids for word, ids in hits.items() if word.isdigit()))
    most = min(len(site.by_id) - 1, _MOST_OF_PLACE)
    telling = [ids for ids in named if len(ids) <= most] or named
    found = set().union(*telling)
    return tuple(sorted((found & numbered) or found))


def _cameras_with(word: str, site: Site) -> set[str]:
    """Ids of the cameras with a word like this one: one that it begins, or that begins it."""
    begins = [word[:n] for n in range(1, len(word) + 1)]
    exact = (pair for begin in begins[:-1] for pair in islice(site.map.words(begin), 1))
    found = chain(exact, site.map.words(word))
    return {camera for other, ids in found if named_alike(word, other) for camera in ids}
