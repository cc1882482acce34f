"""What runs inside a Dask worker: one segment, looked at in one of four ways.

A unit gets a `SegmentJob` of references and returns a `StageResult` of counts. Frames, templates
and features never travel.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Hashable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import pandas as pd

from data_contracts.errors import (
    FootageChanged,
    FootageGone,
    NotFound,
    ObjectChanged,
    VideoUnreadable,
)
from data_contracts.object_key import ListedObject
from data_contracts.run import ObservationKind, SegmentJob, StageResult
from data_contracts.tables.contracts import CANDIDATES, DETECTIONS, LOOKS, SEGMENT_REPORTS
from data_contracts.time import Interval, utc_of
from flows.runtime.environment import Environment
from flows.runtime.open_case import OpenCase
from flows.runtime.results import load
from flows.runtime.stage import Stage, Work, stage
from flows.runtime.subject_template import load_looks, load_template
from tasks.consent.authorise import require
from tasks.footage.segment import SegmentInput
from tasks.footage.video import Source, probe
from tasks.observe.follow import FollowSettings, follow_segment
from tasks.observe.looks import Describer, Footage, compare_looks
from tasks.observe.match import SubjectSearch
from tasks.observe.motion import MotionSettings
from tasks.observe.scan import scan_segment
from tasks.search.find_segments import WHOLE_BYTES, LengthOf, ListObjects, part_of

# How long the parts of a long file are: some 4 CPU seconds of a scan, 12 of following.
SCAN_PART_S = 120.0
FOLLOW_PART_S = 30.0


def one_camera(case: OpenCase, given: Mapping[str, Any]) -> dict[str, Any]:
    """Of the site, a unit's result depends on its own camera alone."""
    return {"camera": case.site.by_id[given["camera_id"]].model_dump(mode="json")}


@stage(
    "scan",
    makes={"candidates": CANDIDATES, "bodies": DETECTIONS, "reports": SEGMENT_REPORTS},
    settings=lambda case: (MotionSettings(), case.policy.search),
    uses_models=True,
    scope="case",
    unit=True,
    decides=one_camera,
)
def scan_unit(work: Work, **job: Any) -> tuple[pd.DataFrame, ...]:
    """Key frames of one segment: who is proposed as the subject, and under the appearance scope
    where bodies are.
    """
    return scan_segment(_segment_of(work, **job), _search_of(work), work[MotionSettings])


@stage(
    "follow",
    makes={"detections": DETECTIONS, "reports": SEGMENT_REPORTS},
    settings=lambda case: (FollowSettings(), case.policy.search),
    uses_models=True,
    scope="case",
    unit=True,
    decides=one_camera,
)
def follow_unit(work: Work, **job: Any) -> tuple[pd.DataFrame, ...]:
    """Everyone in one segment, five times a second."""
    return follow_segment(_segment_of(work, **job), _search_of(work), work[FollowSettings])


@stage(
    "looks",
    makes={"looks": LOOKS},
    settings=lambda case: (FollowSettings(), case.policy.search),
    uses_models=True,
    scope="case",
    unit=True,
    decides=one_camera,
)
def looks_unit(work: Work, looks: str, **job: Any) -> pd.DataFrame:
    """The clothes of everyone who was found by following one segment, against the subject's."""
    footage = followed_segment(work, **job)
    describer = Describer.of(work.models)
    return compare_looks(work.case.authorised, footage, load_looks(work.case), describer)


@stage(
    "scan looks",
    makes={"looks": LOOKS},
    settings=lambda case: (MotionSettings(), case.policy.search),
    uses_models=True,
    scope="case",
    unit=True,
    decides=one_camera,
)
def scan_looks_unit(work: Work, looks: str, **job: Any) -> pd.DataFrame:
    """The clothes of everyone whom the scan of one segment found, against the subject's. The scan
    found where they are: nobody is looked for again, and where nobody can be judged nothing is
    read.
    """
    require(work.case.authorised, "appearance", job["camera_id"])
    boxes = load(work.vault, scan_unit(work.run, **job)["bodies"])
    if boxes.empty:
        return LOOKS.empty()
    sure = boxes["score"].to_numpy(float) >= work.models.person_scores.looked_at
    footage = _footage_of(work, boxes, **job)._replace(chosen=sure)
    describer = Describer.of(work.models)
    return compare_looks(work.case.authorised, footage, load_looks(work.case), describer)


UNITS: dict[ObservationKind, Stage] = {
    "scan": scan_unit,
    "follow": follow_unit,
    "looks": looks_unit,
    "scan looks": scan_looks_unit,
}


def segment_job(
    kind: ObservationKind, work: Work, template: str, row: Mapping[Hashable, Any], looks: str = ""
) -> SegmentJob:
    """The job of one row of SEGMENTS. `looks`: the digest of what they were learnt from."""
    return SegmentJob(
        kind=kind,
        run=work.run,
        camera_id=str(row["camera_id"]),
        key=str(row["key"]),
        etag=str(row["etag"]),
        start_utc=utc_of(row["start_utc"]),
        part=part_of(row),
        template=template,
        looks=looks,
    )


def run_unit(job: SegmentJob) -> StageResult:
    """Look at one segment unless its result is there; the case is authorised first either way.

    Raises what must be retried or stops the run; a segment that cannot be decoded is a fault in the
    result.
    """
    return UNITS[job.kind](
        job.run,
        camera_id=job.camera_id,
        key=job.key,
        etag=job.etag,
        start_utc=job.start_utc,
        part=job.part,
        template=job.template,
        **({"looks": job.looks} if job.looks else {}),
    )


def followed_segment(work: Work, **job: Any) -> Footage:
    """A segment with the boxes that following it found; what is stored of that is read."""
    result = follow_unit(work.run, **job)
    boxes = load(work.vault, result["detections"])
    return _footage_of(work, boxes, **job)


def read_footage(env: Environment, key: str, etag: str) -> Source:
    """A segment that was listed before, with this ETag: its bytes where it is small, else a file of
    which only what is asked for is read. Both raise FootageGone where it was deleted since,
    FootageChanged where another lies there.
    """
    with _told(key):
        size = env.footage.size(key)
        if size <= WHOLE_BYTES:
            return env.footage.read(key, etag, WHOLE_BYTES)
        return Recording(key, env.footage.open(ListedFootage(key, etag, size)))


class ListedFootage(NamedTuple):
    """A recording as it was listed."""

    key: str
    etag: str
    size: int


class Recording(io.RawIOBase):
    """A recording as a file, which says of itself what `read_footage` does."""

    def __init__(self, key: str, file: io.RawIOBase) -> None:
        super().__init__()
        self._key = key
        self._file = file

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be sought in."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as one request goes."""
        with _told(self._key):
            return self._file.readinto(buffer) or 0

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
        super().close()


@contextlib.contextmanager
def _told(key: str) -> Iterator[None]:
    """The store's errors as those of footage, which are gaps."""
    try:
        yield
    except ObjectChanged:
        raise FootageChanged(
            f"{key} was replaced after it was listed: run the case again, which then looks at the "
            "file that is there now"
        ) from None
    except NotFound:
        raise FootageGone(
            f"{key} was listed and is not in the store any more: ask the recorder to keep footage "
            "longer"
        ) from None


def listed(env: Environment) -> ListObjects:
    """Lists what lies below a prefix of the footage bucket."""
    return env.footage.list


def lengths(env: Environment) -> LengthOf:
    """How many seconds a file lasts by its header; None where it cannot be read, which is told when
    its pictures are looked at.
    """

    def length_of(item: ListedObject) -> float | None:
        try:
            with env.footage.open(item) as file:
                return probe(file).duration_s or None
        except (VideoUnreadable, ObjectChanged, NotFound):
            return None

    return length_of


def _segment_of(
    work: Work,
    camera_id: str,
    key: str,
    etag: str,
    start_utc: datetime,
    part: Interval | None = None,
    **_decides: str,
) -> SegmentInput:
    """The recording that a unit looks at. What else a job names decides its digest alone."""
    camera = work.case.site.by_id[camera_id]
    return SegmentInput(camera, key, start_utc, read_footage(work.env, key, etag), etag, part)


def _footage_of(
    work: Work,
    boxes: pd.DataFrame,
    camera_id: str,
    key: str,
    etag: str,
    start_utc: datetime,
    part: Interval | None = None,
    **_decides: str,
) -> Footage:
    """A segment with the boxes that were found in it before."""
    camera = work.case.site.by_id[camera_id]
    return Footage(camera, start_utc, read_footage(work.env, key, etag), boxes, part=part)


def _search_of(work: Work) -> SubjectSearch:
    """The search of the case's subject, by the process's models."""
    case = work.case
    return SubjectSearch(case.authorised, load_template(case), work.models, case.policy.search)
