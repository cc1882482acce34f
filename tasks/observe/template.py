"""The subject's template: made from the reference pictures, only for a case whose consent names the
face.

What is kept is one vector under the case's secret rotation (see `tasks.observe.rotation`); the face
vectors themselves exist only while `build_template` runs. Each build draws a new salt and so
another secret: a template is renewed by building it again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from data_contracts.authorisation import AuthorisedCase
from data_contracts.errors import BadInput, NotAuthorised
from tasks.consent.authorise import require
from tasks.footage.picture import decode_picture
from tasks.observe.face import turn_of
from tasks.observe.no_traceback import forgetful
from tasks.observe.rotation import Rotation

if TYPE_CHECKING:
    from models.interface import FaceDetector, Faces, Image
    from models.registry import Models

# Larger pictures are shrunk before the search for a face: a portrait needs no more, and memory
# stays bounded.
_MAX_SIDE_PX = 1600
# A second face at least this share as wide as the largest leaves open who the subject is.
_RIVAL_SHARE = 0.4
# Two pictures of which the calibration says less are not taken for one person's. The demo's
# portraits reach its ceiling (.97) with each other, and with each of three strangers' faces of the
# demo at most .16 in one pair or another.
ONE_PERSON_P = 0.5
# Format 1 held the face vectors themselves; 2 did not say how many numbers follow.
FORMAT = 3
_MAGIC = b"ENCT"
_SALT_BYTES = 32
_SIZE_BYTES = 2

# From a template's salt to its secret, with the case's key: `CaseVault.derive` bound to a purpose.
Derive = Callable[[bytes], bytes]


@dataclass(frozen=True, eq=False)
class SubjectTemplate:
    """One case's subject as R v (`rotated` (d,), length 1): v the mean direction of the face
    vectors, R the case's rotation.

    `salt` goes with the template and is of no use without the case's key; `rotation` never leaves
    the process.
    """

    case_id: str
    salt: bytes
    rotated: NDArray[np.float64]
    rotation: Rotation

    def __repr__(self) -> str:
        return f"SubjectTemplate({self.case_id})"

    def __reduce__(self) -> str:
        raise NotAuthorised(
            "a template does not travel between processes: read it there from the case's store"
        )


@forgetful
def build_template(
    case: AuthorisedCase, images: Mapping[str, bytes], models: Models, derive: Derive
) -> SubjectTemplate:
    """The template for `match`, of reference pictures (JPEG or PNG bytes by name), under a new
    secret.

    Raises NotAuthorised without the face scope, BadInput naming the picture that has no face,
    several, or another person's than the others.
    """
    require(case, "face")
    if not images:
        raise BadInput(
            "a face search needs at least one reference picture of the subject, got none"
        )
    pictures, landmarks, widths = _faces(images, models, models.embedder.min_face_px)
    vectors = np.asarray(models.embedder.embed(pictures, landmarks), np.float64)
    _check_pairs(list(images), vectors, widths, models)
    mean = vectors.mean(0)
    salt = secrets.token_bytes(_SALT_BYTES)
    rotation = Rotation(derive(salt))
    rotated = rotation.apply(mean[None] / max(float(np.linalg.norm(mean)), 1e-12))[0]
    return SubjectTemplate(case.case_id, salt, rotated, rotation)


def check_one_person(case: AuthorisedCase, images: Mapping[str, bytes], models: Models) -> None:
    """Raise BadInput, as `build_template` does, where the pictures do not each show one face, all
    the same person's. Nothing is kept.
    """
    build_template(case, images, models, lambda _salt: secrets.token_bytes(_SALT_BYTES))


def _faces(
    images: Mapping[str, bytes], models: Models, min_face_px: float
) -> tuple[list[Image], list[NDArray[np.float32]], NDArray[np.float64]]:
    """The pictures, their one face's landmarks, and its width in pixels."""
    pictures = []
    landmarks = []
    widths = []
    for name, data in images.items():
        picture = _decoded_picture(name, data)
        faces = models.face.detect([picture])[0]
        face = _only_face(name, faces, min_face_px)
        landmarks.append(faces.landmarks[face])
        widths.append(float(faces.width_px[face]))
        pictures.append(picture)
    return pictures, landmarks, np.array(widths)


def _check_pairs(
    names: list[str], vectors: NDArray[np.float64], widths: NDArray[np.float64], models: Models
) -> None:
    """Each pair must be as likely one person as two by the model's calibration, at the smaller
    face's width: somebody else's face would be searched under the subject's consent. The picture
    that agrees least with the others is named.
    """
    length = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    similarity = (vectors / length) @ (vectors / length).T
    smaller = np.minimum.outer(widths, widths)
    answered = models.calibration.probability(similarity, smaller, np.zeros_like(smaller, bool))
    same = np.nan_to_num(np.asarray(answered, np.float64))
    np.fill_diagonal(same, 1.0)
    if same.min() < ONE_PERSON_P:
        odd = names[int(same.mean(axis=0).argmin())]
        raise BadInput(
            f"reference picture {odd}: it seems to show somebody else than the other pictures; "
            "expected only the subject's, leave it out or send a clearer one"
        )


def _decoded_picture(name: str, data: bytes) -> Image:
    """The picture, at most _MAX_SIDE_PX wide or high, with a rim: faces that fill a picture are
    found better.
    """
    picture = decode_picture(f"reference picture {name}", data, _MAX_SIDE_PX)
    scale = _MAX_SIDE_PX / max(picture.shape[:2])
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    rim = round(0.125 * max(picture.shape[:2]))
    return np.asarray(
        cv2.copyMakeBorder(picture, rim, rim, rim, rim, cv2.BORDER_REPLICATE), np.uint8
    )


class PictureCheck(NamedTuple):
    """What a reference picture is good for: what is wrong with it, the width of its largest face in
    px, and how far that is turned aside (see `tasks.observe.face.MAX_TURN`).
    """

    fault: Literal["", "unreadable", "no_face", "several_faces", "small_face"]
    width_px: float = 0.0
    turn: float = 0.0


def check_picture(data: bytes, detector: FaceDetector, min_face_px: float) -> PictureCheck:
    """Look at a reference picture before anybody has signed: faces are found and measured, nobody's
    is compared with anything.
    """
    try:
        picture = _decoded_picture("", data)
    except BadInput:
        return PictureCheck("unreadable")
    faces = detector.detect([picture])[0]
    if not len(faces):
        return PictureCheck("no_face")
    largest = int(np.argmax(faces.width_px))
    turn = turn_of(np.asarray(faces.landmarks[largest], float))
    fault = _face_fault(faces, min_face_px)
    return PictureCheck(fault, float(faces.width_px[largest]), turn)


def _face_fault(
    faces: Faces, min_face_px: float
) -> Literal["", "no_face", "several_faces", "small_face"]:
    """Why faces of a picture are not one clear face; empty where they are."""
    if not len(faces):
        return "no_face"
    largest = faces.width_px.max()
    if int((faces.width_px >= _RIVAL_SHARE * largest).sum()) > 1:
        return "several_faces"
    return "small_face" if largest < min_face_px else ""


def _only_face(name: str, faces: Faces, min_face_px: float) -> int:
    fault = _face_fault(faces, min_face_px)
    if fault == "no_face":
        raise BadInput(
            f"reference picture {name}: no face found; expected one clear face, send another "
            "picture"
        )
    if fault == "several_faces":
        raise BadInput(
            f"reference picture {name}: several faces found; expected only the subject's, crop the "
            "picture"
        )
    width = faces.width_px
    largest = int(np.argmax(width))
    if fault:
        raise BadInput(
            f"reference picture {name}: the face is {width[largest]:.0f} px wide,"
            f" expected at least {min_face_px:.0f} px"
        )
    return largest


def to_bytes(template: SubjectTemplate) -> bytes:
    """Magic, format, length of the case id, case id, salt, how many numbers, float64 vector; sealed
    with the case's key before it is stored.

    The secret is not in it.
    """
    case_id = template.case_id.encode()
    return (
        _MAGIC
        + bytes([FORMAT, len(case_id)])
        + case_id
        + template.salt
        + template.rotated.size.to_bytes(_SIZE_BYTES, "little")
        + template.rotated.astype("<f8").tobytes()
    )


def from_bytes(data: bytes, derive: Derive) -> SubjectTemplate:
    """Read what `to_bytes` wrote. Raises BadInput for anything else, also for templates of an older
    format.
    """
    head = len(_MAGIC) + 2
    if data[: head - 1] != _MAGIC + bytes([FORMAT]) or len(data) < head:
        raise BadInput(
            f"expected a subject template of format {FORMAT}: build it again from the reference "
            "pictures"
        )
    case_id = data[head : head + data[head - 1]]
    rest = data[head + data[head - 1] :]
    salt = rest[:_SALT_BYTES]
    size = int.from_bytes(rest[_SALT_BYTES : _SALT_BYTES + _SIZE_BYTES], "little")
    numbers = rest[_SALT_BYTES + _SIZE_BYTES :]
    rotated = np.frombuffer(numbers[: len(numbers) // 8 * 8], "<f8").astype(np.float64)
    with np.errstate(over="ignore"):
        length = float(np.linalg.norm(rotated))
    # No comparison with NaN holds, so a vector of anything but numbers is refused too.
    whole = len(numbers) == 8 * size
    if not case_id.isascii() or not whole or not abs(length - 1) < 1e-6:
        raise BadInput(
            "the subject template is damaged: build it again from the reference pictures"
        )
    return SubjectTemplate(case_id.decode(), salt, rotated, Rotation(derive(salt)))
