"""Looks of the day: the colours of the subject's clothes, and the one comparison of others' with
them.

Only under a consent and an approval that name `appearance`. Other people's descriptors exist only
inside `compare_looks`: they are made, compared and forgotten there; what comes out is one number a
box. The subject's own are kept as one vector a look, rotated by a secret of the case
as the face is (`tasks.observe.day_looks`).

A descriptor is a network's where `models.appearance` names one, else of the colours of the clothes
(`tasks.observe.clothes`). Figures: `python -m benchmarks.accuracy.looks`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.authorisation import AuthorisedCase
from data_contracts.camera import Camera
from data_contracts.errors import BadInput, NotAuthorised, VideoUnreadable
from data_contracts.tables.contracts import LOOKS
from data_contracts.time import CLOCK_S, Interval, seconds_of, utc_of
from models.score_calibration import BodyCalibration
from tasks.consent.authorise import require
from tasks.footage.reading import key_frames
from tasks.footage.segment import fitted
from tasks.footage.video import Source
from tasks.observe.clothes import Array, Picture, describe_clothes, light_of, view_of_light
from tasks.observe.day_looks import DayLooks, Look
from tasks.observe.no_traceback import forgetful
from tasks.observe.rotation import Rotation
from tasks.observe.template import Derive, SubjectTemplate

if TYPE_CHECKING:
    from models.interface import AppearanceEmbedder
    from models.registry import Models


# Smaller than this in px, the shoes are a pixel or two.
_LEAST_PX = np.array([10.0, 40.0])
# A box of which others in front hide more than this share shows their clothes. Chosen.
_MOST_HIDDEN = 0.25
_CROP_HEIGHT_PX = 160
# The subject's own looks are read from at most this many boxes.
_EXAMPLES = 200
_NETWORK_HEIGHT_PX = 256
# A segment whose mean description is less likely of the same clothes than this shows another look:
# one in a hundred of the same clothes is below. So many looks are kept at most. Chosen.
_ANOTHER_LOOK = -1.0
_MOST_LOOKS = 3
_EPOCH = pd.Timestamp(0, tz="UTC")
_PLACE = ["t_utc", "x0", "y0", "x1", "y1"]


class Describer(NamedTuple):
    """How bodies are described, by a network or, without one, by colours, and what the cosine of
    two descriptions says.
    """

    appearance: AppearanceEmbedder | None
    calibration: BodyCalibration

    @classmethod
    def of(cls, models: Models) -> Describer:
        """As the models' settings say."""
        if models.appearance is None or models.body_calibration is None:
            return COLOURS
        return cls(models.appearance, models.body_calibration)

    @property
    def height_px(self) -> int:
        """Taller bodies are shrunk to this."""
        return _CROP_HEIGHT_PX if self.appearance is None else _NETWORK_HEIGHT_PX


COLOURS = Describer(
    None,
    BodyCalibration(
        slope=2.94,
        offset=-7.42,
        bound=3.0,
        data="true boxes of the demo, plaza and scenes 0, 1, 2 and 4 of benchmarks/family, template"
        " and box from different cameras: python -m benchmarks.accuracy.looks",
    ),
)


class Footage(NamedTuple):
    """One segment, or a `part` of it, and the boxes (contract DETECTIONS) of all people in it.
    `chosen` (n,): which of them to look at; None: all.
    """

    camera: Camera
    start_utc: datetime
    data: Source
    boxes: pd.DataFrame
    chosen: NDArray[np.bool_] | None = None
    part: Interval | None = None

    def only(self, own: pd.DataFrame) -> Footage:
        """The same, of which only the boxes of `own` (contract TRACKS) are to be looked at."""
        mine = own.loc[own["camera_id"] == self.camera.camera_id, _PLACE]
        marked = self.boxes[_PLACE].merge(mine, how="left", on=_PLACE, indicator=True)
        return self._replace(chosen=np.asarray(marked["_merge"] == "both"))


class _Seen(NamedTuple):
    """Of one segment the sum of the descriptions of the subject's body, and their times."""

    total: Array
    t_utc: pd.Series


@dataclass(frozen=True)
class _Crops:
    """Bodies of one segment: the rows of its boxes, the cut-outs, and the light's gains (3,)."""

    rows: list[int]
    pictures: list[Picture]
    gains: Array


@forgetful
def build_looks(
    case: AuthorisedCase,
    footage: Iterable[Footage],
    derive: Derive,
    describer: Describer = COLOURS,
) -> DayLooks | None:
    """The subject's looks, from boxes that are surely the subject's; None where none can be judged.
    Where segments disagree, as when a coat was taken off, there are several, each with its time.

    Raises NotAuthorised without the appearance scope.
    """
    require(case, "appearance")
    seen: list[_Seen] = []
    count = 0
    for one in footage:
        require(case, "appearance", one.camera.camera_id)
        crops = _crops(case, one, describer.height_px)
        if describer.appearance is None:
            made = [describe_clothes(p, crops.gains) for p in crops.pictures]
        else:
            made = [*describer.appearance.embed(crops.pictures).astype(float)]
        if made:
            seen.append(_Seen(np.sum(made, axis=0), one.boxes["t_utc"].iloc[crops.rows]))
        count += len(made)
        if count >= _EXAMPLES:
            break
    kept = [_kept(case, own, derive) for own in _alike(seen, describer.calibration)]
    return DayLooks(case.case_id, tuple(sorted(kept, key=lambda x: x.from_utc))) if kept else None


def _alike(seen: list[_Seen], calibration: BodyCalibration) -> list[list[_Seen]]:
    """What was seen in each segment, put together where it may be one look: with the likeliest,
    unless it is rather another's.
    """
    looks: list[list[_Seen]] = []
    for one in sorted(seen, key=lambda x: x.t_utc.min()):
        sums = [np.sum([other.total for other in look], axis=0) for look in looks]
        cosine = np.array([_unit(total) @ _unit(one.total) for total in sums])
        ratio = calibration.log_ratio(cosine)
        if len(looks) and (ratio.max() >= _ANOTHER_LOOK or len(looks) == _MOST_LOOKS):
            looks[int(cosine.argmax())].append(one)
        else:
            looks.append([one])
    return looks


def _kept(case: AuthorisedCase, own: list[_Seen], derive: Derive) -> Look:
    """A look under a secret of its own."""
    salt = secrets.token_bytes(32)
    rotation = Rotation(derive(salt))
    mean = _unit(np.sum([one.total for one in own], axis=0))
    template = SubjectTemplate(case.case_id, salt, rotation.apply(mean[None])[0], rotation)
    start = min(one.t_utc.min() for one in own)
    return Look(template, utc_of(start), utc_of(max(one.t_utc.max() for one in own)))


def _unit(vector: Array) -> Array:
    return np.asarray(vector / np.linalg.norm(vector))


@forgetful
def compare_looks(
    case: AuthorisedCase, footage: Footage, looks: DayLooks, describer: Describer = COLOURS
) -> pd.DataFrame:
    """One row of LOOKS for each box of a key frame whose clothes can be judged.

    A segment that cannot be decoded further ends there: following it told so already. Raises
    NotAuthorised where consent and approval do not name the appearance search and this camera.
    """
    require(case, "appearance", footage.camera.camera_id)
    if looks.case_id != case.case_id:
        raise NotAuthorised("these looks were learnt for another case")
    crops = _crops(case, footage, describer.height_px)
    if not crops.rows:
        return LOOKS.empty()
    if describer.appearance is None:
        vectors = np.stack([describe_clothes(p, crops.gains) for p in crops.pictures])
    else:
        vectors = describer.appearance.embed(crops.pictures).astype(float)
    if vectors.shape[1] != looks.size:
        raise BadInput("these looks were learnt with another models.appearance: run the case again")
    ratio = describer.calibration.log_ratio(looks.cosines(vectors))
    table = footage.boxes.iloc[crops.rows]
    worn = looks.worn(seconds_of(table["t_utc"], _EPOCH))
    llr = np.log((worn * np.exp(ratio)).sum(axis=1))
    rows = table.assign(camera_id=footage.camera.camera_id, llr=llr)
    return LOOKS.shape(rows[LOOKS.empty().columns.tolist()])


def _crops(case: AuthorisedCase, footage: Footage, height_px: int) -> _Crops:
    """The bodies that can be judged, from the key frames of the granted time."""
    at = seconds_of(footage.boxes["t_utc"], pd.Timestamp(footage.start_utc))
    boxes = footage.boxes[["x0", "y0", "x1", "y1"]].to_numpy(float)
    usable = _judged(footage.boxes, boxes)
    if footage.chosen is not None:
        usable &= footage.chosen
    rows: list[int] = []
    pictures: list[Picture] = []
    views: list[Picture] = []
    if not usable.any():
        return _Crops(rows, pictures, np.ones(3))
    try:
        for frame in key_frames(footage.data, footage.start_utc, footage.part):
            if not case.span.start_utc <= frame.t_utc < case.span.end_utc:
                continue
            image = fitted(frame.image, footage.camera, frame.pixel_aspect)
            views.append(view_of_light(image))
            now = (frame.t_utc - footage.start_utc).total_seconds()
            near = np.flatnonzero((np.abs(at - now) < CLOCK_S / 4) & usable)
            rows += near.tolist()
            pictures += [_cut(image, boxes[i], height_px) for i in near]
    except VideoUnreadable:
        pass
    return _Crops(rows, pictures, light_of(views) if views else np.ones(3))


def _judged(table: pd.DataFrame, boxes: Array) -> NDArray[np.bool_]:
    """(n,) which boxes (n, 4) of DETECTIONS are whole bodies that nobody in front hides."""
    large = np.all(boxes[:, 2:] - boxes[:, :2] >= _LEAST_PX, axis=1)
    whole = ~table["foot_hidden"].to_numpy(bool)
    hidden = np.zeros(len(boxes))
    for rows in table.groupby("t_utc").indices.values():
        hidden[rows] = _hidden_share(boxes[rows])
    return np.asarray(large & whole & (hidden <= _MOST_HIDDEN))


def _hidden_share(boxes: Array) -> Array:
    """(n,) the largest share of each box that one other, whose feet are lower, covers."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=2)
    in_front = boxes[None, :, 3] > boxes[:, None, 3]
    area = np.maximum(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), 1.0)
    return np.asarray((common * in_front).max(axis=1) / area)


def _cut(image: Picture, box: Array, height_px: int = _CROP_HEIGHT_PX) -> Picture:
    x0, y0, x1, y1 = np.clip(np.round(box), 0, [image.shape[1], image.shape[0]] * 2).astype(int)
    body = image[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
    scale = min(1.0, height_px / body.shape[0])
    size = (max(1, round(scale * body.shape[1])), max(1, round(scale * body.shape[0])))
    return np.asarray(cv2.resize(body, size, interpolation=cv2.INTER_AREA), np.uint8)
