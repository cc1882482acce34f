"""Looks of the day: the colours of the subject's clothes, and the one comparison of others' with
them.

Only under a consent and an approval that name `appearance`. Other people's descriptors exist only
inside `compare_looks`: they are made, compared and forgotten there; what comes out is one number a
box. The subject's own are kept as one vector under the case's secret rotation, as the face is
(`tasks.observe.rotation`).

A descriptor is a network's where `models.appearance` names one. Else it is of colours: the square
roots of histograms of the upper body, the lower body and the shoes, so that the cosine of two is
their mean Bhattacharyya coefficient. Colours are first corrected for the camera's light, by what
its picture shows on average (shades of grey: Finlayson and Trezzi, Color Imaging Conference 2004).
Figures: `python -m benchmarks.accuracy.looks`.
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
from data_contracts.time import CLOCK_S, seconds_of
from models.score_calibration import BodyCalibration
from tasks.consent.authorise import require
from tasks.footage.reading import key_frames
from tasks.footage.segment import fitted
from tasks.observe.no_traceback import forgetful
from tasks.observe.rotation import Rotation
from tasks.observe.template import Derive, SubjectTemplate

if TYPE_CHECKING:
    from models.interface import AppearanceEmbedder
    from models.registry import Models

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]


class _Region(NamedTuple):
    """A part of the body: rows and columns as shares of a standing person's box, and how much it
    counts. Shoes are few pixels, and the ground around them is in their box.
    """

    top: float
    bottom: float
    left: float
    right: float
    weight: float


# Shoulders at .82 of the stature, hips at .52, ankles at .04 (Drillis & Contini 1966), each less a
# margin for a box that is off.
_REGIONS = (
    _Region(0.18, 0.47, 0.25, 0.75, 1.0),
    _Region(0.53, 0.84, 0.28, 0.72, 1.0),
    _Region(0.92, 1.0, 0.1, 0.9, 0.4),
)


def _shares(values: Array, centres: Array, sd: float) -> Array:
    """(n, bins) each value's share of the bins; rows add up to 1."""
    weight = np.exp(-0.5 * ((values[:, None] - centres) / sd) ** 2) + 1e-12
    return np.asarray(weight / weight.sum(1, keepdims=True))


# Bins of CIELAB, each pixel shared by its neighbours: light that differs a little moves no one to
# another bin. Of deviations 3.5, 5.5 and 9 the middle one tells people apart best.
_AB_CENTRES = np.linspace(-44.0, 44.0, 9)
_AB_SD = 5.5
_L_CENTRES = np.linspace(10.0, 90.0, 5)
_L_SD = 14.0
# By whole numbers of a or b from -_AB_ZERO on, and of lightness.
_AB_ZERO = 128
_AB_SHARES = _shares(np.arange(-_AB_ZERO, _AB_ZERO + 1.0), _AB_CENTRES, _AB_SD)
_L_SHARES = _shares(np.arange(101.0), _L_CENTRES, _L_SD)
# Lightness changes with light and shade, colour less. Chosen.
_L_SHARE = 0.35
# Minkowski norm of shades of grey: 6 is its authors' best.
_LIGHT_NORM = 6
_LIGHT_SIZE = (160, 90)
_MIDDLE_GREY = 128.0
# Smaller than this in px, the shoes are a pixel or two.
_LEAST_PX = np.array([10.0, 40.0])
# A box of which others in front hide more than this share shows their clothes. Chosen.
_MOST_HIDDEN = 0.25
_CROP_HEIGHT_PX = 160
# The subject's own looks are read from at most this many boxes.
_EXAMPLES = 200
_NETWORK_HEIGHT_PX = 256
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
    """One segment, and the boxes (contract DETECTIONS) of all people in it. `chosen` (n,): which of
    them to look at; None: all.
    """

    camera: Camera
    start_utc: datetime
    data: bytes
    boxes: pd.DataFrame
    chosen: NDArray[np.bool_] | None = None

    def only(self, own: pd.DataFrame) -> Footage:
        """The same, of which only the boxes of `own` (contract TRACKS) are to be looked at."""
        mine = own.loc[own["camera_id"] == self.camera.camera_id, _PLACE]
        marked = self.boxes[_PLACE].merge(mine, how="left", on=_PLACE, indicator=True)
        return self._replace(chosen=np.asarray(marked["_merge"] == "both"))


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
) -> SubjectTemplate | None:
    """The subject's looks, from boxes that are surely the subject's; None where none can be judged.

    Raises NotAuthorised without the appearance scope.
    """
    require(case, "appearance")
    made = []
    for one in footage:
        require(case, "appearance", one.camera.camera_id)
        crops = _crops(case, one, describer.height_px)
        if describer.appearance is None:
            made += [_describe(p, crops.gains) for p in crops.pictures]
        else:
            made += [*describer.appearance.embed(crops.pictures).astype(float)]
        if len(made) >= _EXAMPLES:
            break
    if not made:
        return None
    mean = np.mean(made, axis=0)
    salt = secrets.token_bytes(32)
    rotation = Rotation(derive(salt))
    return SubjectTemplate(
        case.case_id, salt, rotation.apply(mean[None] / np.linalg.norm(mean))[0], rotation
    )


@forgetful
def compare_looks(
    case: AuthorisedCase, footage: Footage, looks: SubjectTemplate, describer: Describer = COLOURS
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
        vectors = np.stack([_describe(p, crops.gains) for p in crops.pictures])
    else:
        vectors = describer.appearance.embed(crops.pictures).astype(float)
    if vectors.shape[1] != len(looks.rotated):
        raise BadInput("these looks were learnt with another models.appearance: run the case again")
    ratio = describer.calibration.log_ratio(looks.rotation.apply(vectors) @ looks.rotated)
    table = footage.boxes.iloc[crops.rows]
    return LOOKS.shape(
        table.assign(camera_id=footage.camera.camera_id, llr=ratio)[LOOKS.empty().columns.tolist()]
    )


def _crops(case: AuthorisedCase, footage: Footage, height_px: int) -> _Crops:
    """The bodies that can be judged, from the key frames of the granted time."""
    at = seconds_of(footage.boxes["t_utc"], pd.Timestamp(footage.start_utc))
    usable = _judged(footage)
    if footage.chosen is not None:
        usable &= footage.chosen
    rows: list[int] = []
    pictures: list[Picture] = []
    views: list[Picture] = []
    if not usable.any():
        return _Crops(rows, pictures, np.ones(3))
    try:
        for frame in key_frames(footage.data, footage.start_utc):
            if not case.span.start_utc <= frame.t_utc < case.span.end_utc:
                continue
            image = fitted(frame.image, footage.camera, frame.pixel_aspect)
            views.append(cv2.resize(image, _LIGHT_SIZE, interpolation=cv2.INTER_AREA))
            now = (frame.t_utc - footage.start_utc).total_seconds()
            near = np.flatnonzero((np.abs(at - now) < CLOCK_S / 4) & usable)
            rows += near.tolist()
            pictures += [_cut(image, _boxes(footage)[i], height_px) for i in near]
    except VideoUnreadable:
        pass
    return _Crops(rows, pictures, _light(views) if views else np.ones(3))


def _boxes(footage: Footage) -> Array:
    return footage.boxes[["x0", "y0", "x1", "y1"]].to_numpy(float)


def _judged(footage: Footage) -> NDArray[np.bool_]:
    """(n,) boxes of whole bodies that nobody in front hides."""
    boxes = _boxes(footage)
    large = np.all(boxes[:, 2:] - boxes[:, :2] >= _LEAST_PX, axis=1)
    whole = ~footage.boxes["foot_hidden"].to_numpy(bool)
    hidden = np.zeros(len(boxes))
    for rows in footage.boxes.groupby("t_utc").indices.values():
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


def _light(views: list[Picture]) -> Array:
    """(3,) gains of blue, green and red that make the camera's usual picture a middle grey."""
    usual = np.median(np.stack(views), axis=0).reshape(-1, 3) + 1
    mean = (usual.astype(np.float64) ** _LIGHT_NORM).mean(0) ** (1 / _LIGHT_NORM)
    return np.asarray(_MIDDLE_GREY / mean)


def _describe(body: Picture, gains: Array) -> Array:
    """(258,) of length 1: see the module. `body` (h, w, 3) BGR, head to feet."""
    corrected = np.clip(body * gains / 255, 0, 1).astype(np.float32)
    lab = cv2.cvtColor(corrected, cv2.COLOR_BGR2LAB)
    height, width = lab.shape[:2]
    parts = []
    for region in _REGIONS:
        top = int(region.top * height)
        left = int(region.left * width)
        bottom = max(int(region.bottom * height), top + 1)
        right = max(int(region.right * width), left + 1)
        pixels = lab[top:bottom, left:right].reshape(-1, 3)
        lightness, a, b = np.rint(pixels).astype(int).T
        colours = _AB_SHARES[a + _AB_ZERO].T @ _AB_SHARES[b + _AB_ZERO] / len(pixels)
        parts.append(np.sqrt(region.weight * (1 - _L_SHARE) * colours.ravel()))
        parts.append(np.sqrt(region.weight * _L_SHARE * _L_SHARES[lightness].mean(0)))
    vector = np.concatenate(parts)
    return np.asarray(vector / np.linalg.norm(vector))
