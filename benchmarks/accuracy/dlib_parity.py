"""The converted dlib network against dlib itself, on face chips of a synthetic site.

Needs dlib, which the project does not depend on: pip install --target DIR --no-deps dlib-bin, then
PYTHONPATH=DIR python -m benchmarks.accuracy.dlib_parity demo FOLDER, where FOLDER has the files of
the PyPI package face_recognition_models. Says how far descriptors differ on equal chips, how far
the two alignments differ, and what the alignment does to the descriptor.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import cv2
import dlib
import numpy as np

from benchmarks.accuracy.footage import frames
from models.convert import convert
from models.geometry import similarity_transform
from models.networks.dlib_resnet import chip_template
from models.registry import load
from models.runtime import Session

SIZE = 150
PADDING = 0.25
# dlib's five points on its chip before padding (get_face_chip_details, 5 points): right eye outer
# and inner corner, left eye outer and inner corner, base of the nose; as seen in the image.
DLIB_FIVE = np.array(
    [
        [0.8595674595992, 0.2134981538014],
        [0.6460604764104, 0.2289674387677],
        [0.1205750620789, 0.2137274526848],
        [0.3340850613712, 0.2290642403242],
        [0.4901123135679, 0.6277975316475],
    ]
)


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path)
    parser.add_argument("weights", type=Path, help="folder with the .dat files")
    parser.add_argument("--chips", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path("out/dlib_resnet.onnx"))
    given = parser.parse_args()
    name = "dlib_face_recognition_resnet_model_v1.dat"
    given.out.parent.mkdir(parents=True, exist_ok=True)
    convert("dlib_resnet", {name: given.weights / name}, given.out)
    ours = Session(given.out, "onnxruntime", 1)
    net = dlib.face_recognition_model_v1(str(given.weights / name))
    points = dlib.shape_predictor(str(given.weights / "shape_predictor_5_face_landmarks.dat"))

    dlib_chips = []
    our_chips = []
    shifts = []
    turns = []
    detector = load().face
    target = (PADDING + DLIB_FIVE) / (2 * PADDING + 1) * SIZE
    for frame in frames(given.site, every=1):
        near = frame.truth[
            (frame.truth.head_visible > 0.8)
            & (frame.truth.face_angle_deg < 45)
            & (frame.truth.head_px > 30)
        ]
        row: Any
        for row in near.itertuples():
            margin = 0.4 * row.head_px
            x0, y0 = (int(max(0, v - margin)) for v in (row.head_x0, row.head_y0))
            crop = np.ascontiguousarray(
                frame.image[y0 : int(row.head_y1 + margin), x0 : int(row.head_x1 + margin)]
            )
            faces = detector.detect([crop])[0]
            if not len(faces):
                continue
            marks = faces.landmarks[0]
            width = faces.width_px[0]
            middle, half = (
                marks.mean(0),
                width * 1.15 / 2,
            )  # dlib's boxes are square and tighter than CenterFace's
            box = dlib.rectangle(*(int(v) for v in [*(middle - half), *(middle + half)]))
            rgb = np.ascontiguousarray(crop[:, :, ::-1])
            shape = points(rgb, box)
            dlib_chips.append(dlib.get_face_chip(rgb, shape, size=SIZE, padding=PADDING))
            mine = similarity_transform(marks, chip_template(SIZE))
            theirs = similarity_transform(
                np.array([[p.x, p.y] for p in shape.parts()], float), target
            )
            our_chips.append(cv2.warpAffine(rgb, mine, (SIZE, SIZE)))
            corners = np.array([[x, y, 1] for x in (0, SIZE) for y in (0, SIZE)], float)
            back = np.linalg.inv(np.vstack([theirs, [0, 0, 1]]))
            shifts.append(
                np.linalg.norm((mine @ back @ corners.T).T - corners[:, :2], axis=1).mean()
            )
            turns.append((mine @ back @ np.array([75, 75, 1])) - 75)
            if len(dlib_chips) == given.chips:
                report(
                    ours,
                    net,
                    np.stack(dlib_chips),
                    np.stack(our_chips),
                    np.array(shifts),
                    np.array(turns),
                )
                return
    report(ours, net, np.stack(dlib_chips), np.stack(our_chips), np.array(shifts), np.array(turns))


def report(ours, net, dlib_chips, our_chips, shifts, turns) -> None:
    """Print what was measured."""
    start = time.process_time()
    expected = np.array([net.compute_face_descriptor(chip) for chip in dlib_chips])
    slow = (time.process_time() - start) / len(dlib_chips)
    start = time.process_time()
    found = describe(ours, dlib_chips)
    fast = (time.process_time() - start) / len(dlib_chips)
    aligned = describe(ours, our_chips)
    print(
        f"{len(dlib_chips)} chips; ms of one core a face: dlib {slow * 1e3:.1f}, ONNX Runtime "
        f"{fast * 1e3:.1f}"
    )
    print(
        f"equal chips: least cosine {cosine(expected, found).min():.7f}, 1 - it "
        f"{1 - cosine(expected, found).min():.1e};"
    )
    print(f"             greatest difference of an element {np.abs(expected - found).max():.1e}")
    print(
        f"alignment: chip corners differ by {np.median(shifts):.1f} px of {SIZE} (median), p90 "
        f"{np.quantile(shifts, 0.9):.1f};"
    )
    print(
        f"           mean shift of the middle x {turns[:, 0].mean():+.1f}, y "
        f"{turns[:, 1].mean():+.1f} px"
    )
    same = cosine(expected, aligned)
    print(
        f"descriptor of our chip and of dlib's: cosine median {np.median(same):.3f}, p10 "
        f"{np.quantile(same, 0.1):.3f}"
    )


def describe(session: Session, chips: np.ndarray) -> np.ndarray:
    """(n, 128) descriptors of RGB chips (n, 150, 150, 3)."""
    batches = [session.run(c[None].transpose(0, 3, 1, 2).astype(np.float32))[0] for c in chips]
    return np.concatenate(batches)


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n,) cosine of rows."""
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


if __name__ == "__main__":
    main()
