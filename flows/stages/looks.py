"""The looks of the day: learnt where a face says who it is, then compared where none does. Without
the appearance scope nothing of them is computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from data_contracts import object_key
from data_contracts.errors import EncounterError, FootageChanged, FootageGone, VideoUnreadable
from data_contracts.pointing import Pointing
from data_contracts.run import ObservationKind
from data_contracts.tables.contracts import LOOKS, SEGMENTS, SIGHTINGS, TRACKS
from data_contracts.time import utc_of
from flows.runtime.fan_out import in_order
from flows.runtime.results import load
from flows.runtime.segment_job import followed_segment, run_unit, segment_job
from flows.runtime.stage import Work, stage
from flows.runtime.stats import write_unit_stat
from flows.runtime.subject_template import looks_secret_of
from tasks.observe.day_looks import looks_to_bytes
from tasks.observe.looks import Describer, Footage, build_looks
from tasks.people.tied import tied_rows
from tasks.search.find_segments import not_asked, part_of

# At most so many segments are read to learn the looks: 200 boxes lie in two or three.
_SEGMENTS = 6


@stage(
    "build looks",
    takes={"sightings": SIGHTINGS, "tracks": TRACKS, "segments": SEGMENTS},
    makes={"learnt": SEGMENTS},
    settings=lambda case: (case.policy.search,),
    uses_models=True,
    scope="case",
    fresh=True,
)
def learn_looks(
    work: Work,
    sightings: pd.DataFrame,
    tracks: pd.DataFrame,
    segments: pd.DataFrame,
    template: str,
    points: Sequence[Pointing] = (),
) -> pd.DataFrame:
    """Learn the looks where a face, pointing or two reviewers tie tracks to the subject, and
    store them in the place of those before. Gives the segments that they were learnt from: none
    where that is not consented to, or no track is sure.
    """
    case = work.case
    if "appearance" not in case.authorised.scopes:
        return SEGMENTS.empty()
    own = tied_rows(tracks, sightings, points)
    used = _with_rows(segments, own)
    footage = _footage(work, used, own, template)
    describer = Describer.of(work.models)
    made = build_looks(case.authorised, footage, looks_secret_of(case), describer)
    if made is None:
        return SEGMENTS.empty()
    work.vault.put(object_key.looks(work.run.case_id), looks_to_bytes(made))
    return used


@stage(
    "compare looks",
    takes={"segments": SEGMENTS},
    makes={"looks": LOOKS},
    fresh=True,
)
def compare_all(work: Work, segments: pd.DataFrame, template: str, learnt: str) -> pd.DataFrame:
    """Compare the clothes of everyone who was followed; nobody's where no looks were `learnt`."""
    if not learnt or "appearance" not in work.case.authorised.scopes:
        return LOOKS.empty()
    return _gathered(work, "looks", segments, template, learnt)


@stage(
    "scan for looks",
    takes={"segments": SEGMENTS, "followed": SEGMENTS},
    makes={"alike": LOOKS},
    fresh=True,
)
def scan_for_looks(
    work: Work, segments: pd.DataFrame, followed: pd.DataFrame, template: str, learnt: str
) -> pd.DataFrame:
    """Compare the clothes of everyone whom the scan saw where nobody was followed yet: of those who
    were followed, `compare_all` does. Nobody's where no looks were `learnt`.
    """
    if not learnt or "appearance" not in work.case.authorised.scopes:
        return LOOKS.empty()
    left = not_asked(segments, followed)
    unfollowed = segments[segments["key"].isin(set(left["key"]))]
    found = _gathered(work, "scan looks", unfollowed, template, learnt)
    return found[_lies_in(left, found)]


def _gathered(
    work: Work, kind: ObservationKind, segments: pd.DataFrame, template: str, learnt: str
) -> pd.DataFrame:
    """LOOKS of the segments, made by the workers."""
    jobs = [segment_job(kind, work, template, row, learnt) for row in segments.to_dict("records")]
    found = [LOOKS.empty()]
    for _, result in in_order(run_unit, jobs, lambda *_: None, work.allowed):
        # A segment that is gone, or cannot be read, is in the gaps of scan or following already.
        if not isinstance(result, EncounterError):
            found.append(load(work.vault, result["looks"]))
            write_unit_stat(work.vault, work.run, kind, result)
    return pd.concat([f for f in found if len(f)] or found[:1], ignore_index=True)


def _with_rows(segments: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """The segments, or parts of them, in which most of the rows lie, at most _SEGMENTS of them."""
    count = _segment_of(segments, own)["segment"].value_counts().head(_SEGMENTS)
    return segments.loc[sorted(count.index)]


def _segment_of(segments: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """The rows of a camera's people with the row of `segments` that they lie in, and its end."""
    begins = segments["from_utc"].fillna(segments["start_utc"])
    starts = segments[["camera_id", "until_utc"]].assign(begins=begins, segment=segments.index)
    return pd.merge_asof(
        own.sort_values("t_utc"),
        starts.sort_values("begins"),
        left_on="t_utc",
        right_on="begins",
        by="camera_id",
    ).dropna(subset="segment")


def _lies_in(segments: pd.DataFrame, found: pd.DataFrame) -> pd.Series:
    """(n,) whether each row of LOOKS lies in one of the segments, or the parts of them."""
    if found.empty:
        return pd.Series([], dtype=bool)
    at = _segment_of(segments, found.reset_index())
    inside = at["until_utc"].isna() | (at["t_utc"] < at["until_utc"])
    return found.index.to_series().isin(at.loc[inside, "index"])


def _footage(
    work: Work, segments: pd.DataFrame, own: pd.DataFrame, template: str
) -> Iterator[Footage]:
    """The segments one by one; what is gone or cannot be read is in the gaps of following."""
    for row in segments.to_dict("records"):
        try:
            yield _own(work, row, own, template)
        except (FootageChanged, FootageGone, VideoUnreadable):
            continue


def _own(work: Work, row: dict[Any, Any], own: pd.DataFrame, template: str) -> Footage:
    """A segment with all boxes in it, of which only the subject's are to be judged."""
    whole = followed_segment(
        work,
        camera_id=str(row["camera_id"]),
        key=str(row["key"]),
        start_utc=utc_of(row["start_utc"]),
        part=part_of(row),
        etag=str(row["etag"]),
        template=template,
    )
    return whole.only(own)
