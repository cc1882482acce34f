"""The one comparison of faces with the subject's template.

Other people's face vectors exist only inside `match`: they are made, compared and forgotten there.
What comes out is a calibrated probability where it reaches the policy's threshold to propose, and
nothing where it does not. A mask hides half of a face: of a masked one comes out what it adds to
others of the same track, a log likelihood ratio, where it speaks for the subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_contracts.authorisation import AuthorisedCase
from data_contracts.errors import BadInput, ContractViolation, NotAuthorised
from data_contracts.policy import SearchSettings
from tasks.consent.authorise import require
from tasks.observe.face import MASK_MAX_TURN, MAX_TURN, Face
from tasks.observe.mask_colour import SKIN_MIN_FACE_PX, mask_log_odds
from tasks.observe.no_traceback import forgetful
from tasks.observe.sharpness import MIN_SHARPNESS, sharpness
from tasks.observe.template import SubjectTemplate

if TYPE_CHECKING:
    from models.interface import Image
    from models.registry import Models


# The mask classifier's weight: nothing at 14 px, all of it from 26 px; a third when the face is
# turned aside.
_SHAPE_FROM_PX = 14.0
_SHAPE_GROWS_PX = 12.0
_SHAPE_TURNED = 0.3
_SHAPE_BOUND = 3.0


class SubjectSearch(NamedTuple):
    """Who is searched for and with what: the authorised case, the subject's template (None where
    faces are not searched), the process's models, and the policy's thresholds.
    """

    case: AuthorisedCase
    template: SubjectTemplate | None
    models: Models
    settings: SearchSettings


@dataclass(frozen=True)
class Verdicts:
    """What may be said of n faces: `subject_p` (n,) NaN below the threshold to propose or where not
    compared, `mask_p` (n,) NaN where the mask cannot be judged, `compared` (n,) whether the face
    was good enough to compare, `masked_llr` (n,) what a masked face says, NaN below the policy's
    `masked_llr`.
    """

    subject_p: NDArray[np.float64]
    mask_p: NDArray[np.float64]
    compared: NDArray[np.bool_]
    masked_llr: NDArray[np.float64]

    def __post_init__(self) -> None:
        answers = (self.subject_p, self.mask_p, self.compared, self.masked_llr)
        shapes = {np.shape(answer) for answer in answers}
        if len(shapes) != 1 or len(shapes.pop()) != 1:
            raise ContractViolation(
                "a comparison gives one number a face of each kind, and no more"
            )


@forgetful
def match(search: SubjectSearch, images: Sequence[Image], faces: Sequence[Face]) -> Verdicts:
    """Compare `faces[i]`, found in `images[i]`, with the subject, and judge their masks.

    Faces narrower than the calibration's least width, turned aside or blurred are not compared:
    they say nothing either way. Raises NotAuthorised without the face scope or with another case's
    template.
    """
    case, template, models, settings = search
    require(case, "face")
    if template is None or template.case_id != case.case_id:
        raise NotAuthorised("the template was built for another case")
    if len(images) != len(faces):
        raise BadInput(
            f"expected one image a face, got {len(images)} images and {len(faces)} faces"
        )
    n = len(faces)
    if n == 0:
        return Verdicts(np.empty(0), np.empty(0), np.zeros(0, bool), np.empty(0))
    width = np.array([face.width_px for face in faces])
    turn = np.array([face.turn for face in faces])
    landmarks = [np.asarray(face.landmarks, np.float32) for face in faces]
    compared = (turn <= MAX_TURN) & (width >= models.calibration.min_face_px)
    compared[compared] = [
        sharpness(images[i], landmarks[i]) >= MIN_SHARPNESS
        for i in map(int, np.flatnonzero(compared))
    ]
    judged = (turn <= MASK_MAX_TURN) & (width >= SKIN_MIN_FACE_PX)
    read = np.flatnonzero(compared | (judged & (width >= models.mask.min_face_px)))
    by_shape = np.full(n, 0.5)
    subject_p = np.full(n, np.nan)
    masked = np.ones(n, bool)
    vectors = np.empty((0, 0), np.float32)
    if len(read):
        vectors, by_shape[read] = models.embed_and_mask(
            [images[i] for i in map(int, read)], [landmarks[i] for i in map(int, read)]
        )
    by_skin = np.array(
        [
            mask_log_odds(i, m) if j else 0.0
            for i, m, j in zip(images, landmarks, judged, strict=True)
        ]
    )
    mask_p = np.where(judged, _mask_probability(by_shape, by_skin, width, turn), np.nan)
    if len(read):
        # A face whose mask cannot be told is calibrated as masked: the curve that claims less.
        masked = ~(np.nan_to_num(mask_p, nan=1.0) < 0.5)
        similarity = _similarity(template, vectors)
        answered = models.calibration.probability(similarity, width[read], masked[read])
        subject_p[read] = np.asarray(answered, float)
    proposed = compared & (np.nan_to_num(subject_p, nan=0.0) >= settings.propose_probability)
    ratio = models.calibration.log_ratio(subject_p)
    adds = compared & masked & (np.nan_to_num(ratio, nan=-np.inf) >= settings.masked_llr)
    masked_llr = np.where(adds, ratio, np.nan)
    return Verdicts(np.where(proposed, subject_p, np.nan), mask_p, compared, masked_llr)


def _mask_probability(
    by_shape: NDArray[np.float64],
    by_skin: NDArray[np.float64],
    width: NDArray[np.float64],
    turn: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(n,) the classifier's answer and the skin's together. The classifier counts less on small and
    turned faces.

    Measured by `python -m benchmarks.accuracy.masks demo`: of bare faces 18 to 24 px wide the
    classifier alone is right in .45 to .87, from 28 px in 1.0; turned beyond MAX_TURN it calls bare
    faces masked.
    """
    weight = np.clip((width - _SHAPE_FROM_PX) / _SHAPE_GROWS_PX, 0, 1) * np.where(
        turn <= MAX_TURN, 1.0, _SHAPE_TURNED
    )
    p = np.clip(by_shape, 1e-6, 1 - 1e-6)
    odds = weight * np.clip(np.log(p / (1 - p)), -_SHAPE_BOUND, _SHAPE_BOUND) + by_skin
    return 1 / (1 + np.exp(-odds))


def _similarity(template: SubjectTemplate, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) cosine with the mean of the reference pictures, taken where the template is: under the
    case's rotation.
    """
    if vectors.shape[1] != len(template.rotated):
        raise BadInput(
            "the template was built with another face model: build it again from the reference "
            "pictures"
        )
    return template.rotation.apply(vectors) @ template.rotated
