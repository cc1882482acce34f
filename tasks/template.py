"""The subject's template: made from the reference pictures, only for a case whose consent names the face."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from data_contracts.authorisation import AuthorisedCase
from data_contracts.errors import BadInput
from tasks.authorise import require

if TYPE_CHECKING:
    from models.interface import Faces, Image
    from models.registry import Models

# Larger pictures are shrunk before the search for a face: a portrait needs no more, and memory stays bounded.
_MAX_SIDE_PX = 1600
_MAX_BYTES = 32 * 2**20
_MAX_PIXELS = 64_000_000
# A second face at least this share as wide as the largest leaves open who the subject is.
_RIVAL_SHARE = 0.4
_FORMAT = 1


@dataclass(frozen=True)
class SubjectTemplate:
    """Face vectors of one case's subject: `vectors` (n_pictures, d), rows of length 1; `names` of the pictures."""

    case_id: str
    names: tuple[str, ...]
    vectors: NDArray[np.float32]

    @property
    def mean(self) -> NDArray[np.float32]:
        """(d,) their mean direction, length 1."""
        mean = self.vectors.mean(0)
        return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)


def build_template(case: AuthorisedCase, images: Mapping[str, bytes], models: Models) -> SubjectTemplate:
    """One vector a reference picture (JPEG or PNG bytes by name), for matching with `match`.

    Raises NotAuthorised without the face scope, BadInput naming the picture that has no face or several.
    """
    require(case, "face")
    if not images:
        raise BadInput("a face search needs at least one reference picture of the subject, got none")
    pictures, landmarks = [], []
    for name, data in images.items():
        picture = _decoded(name, data)
        faces = models.face.detect([picture])[0]
        landmarks.append(faces.landmarks[_only_face(name, faces, models.embedder.min_face_px)])
        pictures.append(picture)
    vectors = np.asarray(models.embedder.embed(pictures, landmarks), np.float32)
    return SubjectTemplate(case.case_id, tuple(images), vectors)


def _decoded(name: str, data: bytes) -> Image:
    """The picture, at most _MAX_SIDE_PX wide or high, with a rim: faces that fill a picture are found better."""
    if len(data) > _MAX_BYTES:
        raise BadInput(f"reference picture {name}: expected at most {_MAX_BYTES >> 20} MiB, got {len(data) >> 20}")
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error:
        picture = None
    if picture is None or picture.size > 3 * _MAX_PIXELS:
        raise BadInput(f"reference picture {name}: expected a JPEG or PNG picture, but it cannot be read")
    scale = _MAX_SIDE_PX / max(picture.shape[:2])
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    rim = round(0.125 * max(picture.shape[:2]))
    return np.asarray(cv2.copyMakeBorder(picture, rim, rim, rim, rim, cv2.BORDER_REPLICATE), np.uint8)


def _only_face(name: str, faces: Faces, min_face_px: float) -> int:
    if not len(faces):
        raise BadInput(f"reference picture {name}: no face found; expected one clear face, send another picture")
    width = faces.width_px
    largest = int(np.argmax(width))
    if int((width >= _RIVAL_SHARE * width[largest]).sum()) > 1:
        raise BadInput(f"reference picture {name}: several faces found; expected only the subject's, crop the picture")
    if width[largest] < min_face_px:
        raise BadInput(
            f"reference picture {name}: the face is {width[largest]:.0f} px wide,"
            f" expected at least {min_face_px:.0f} px"
        )
    return largest


def to_bytes(template: SubjectTemplate) -> bytes:
    """The template as bytes, to be sealed with the case's key before it leaves the process."""
    out = io.BytesIO()
    head = np.array([str(_FORMAT), template.case_id, *template.names])
    np.savez(out, head=head, vectors=template.vectors)
    return out.getvalue()


def from_bytes(data: bytes) -> SubjectTemplate:
    """Read what `to_bytes` wrote. Raises BadInput for anything else."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            head, vectors = [str(item) for item in file["head"]], np.asarray(file["vectors"], np.float32)
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"expected a stored subject template, but it cannot be read ({type(error).__name__})") from error
    if len(head) < 2 or head[0] != str(_FORMAT) or vectors.ndim != 2 or len(vectors) != len(head) - 2:
        raise BadInput(f"expected a subject template of format {_FORMAT}: build it again from the reference pictures")
    return SubjectTemplate(head[1], tuple(head[2:]), vectors)
