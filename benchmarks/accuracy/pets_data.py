"""The PETS 2009 S2.L1 set, view 1, as the project's records: camera, frames and truth.

A folder with `vtest.avi` (Debian's package opencv-doc, or samples/data of OpenCV's sources) and, as
OpenTraj's `datasets/PETS-2009` has them (github.com/crowdbotp/OpenTraj, MIT; annotations by A.
Milan), with `data/annotations/PETS2009-S2L1.xml` and `data/calibration/View_001.xml`. The footage
is the University of Reading's, free for academic and industrial research with acknowledgement.
Nothing of the set is part of the project.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.camera import Camera
from data_contracts.errors import BadInput

CAMERA = "view-001"
VIDEO = "vtest.avi"
ANNOTATIONS = Path("data/annotations/PETS2009-S2L1.xml")
CALIBRATION = Path("data/calibration/View_001.xml")
# The file's header says 10; the set's description says "about 7".
FPS = 7
START = datetime(2009, 1, 1, tzinfo=UTC)
# The part of the floor on which published trackings of this set are judged: x and y from, to, m
# (`trackingArea` in the code of Milan, Schindler & Roth, Detection- and trajectory-level exclusion
# in multiple object tracking, CVPR 2013).
TRACKING_AREA_M = (-14.0696, 4.9813, -14.2740, 1.7335)


def frames(folder: Path) -> Iterator[tuple[datetime, NDArray[np.uint8]]]:
    """Time and picture (BGR) of each frame. Raises BadInput where the video is missing."""
    path = folder / VIDEO
    if not path.is_file():
        raise BadInput(
            f"{path}: expected the video of PETS09-S2L1 (Debian: opencv-doc), found none"
        )
    with av.open(str(path)) as container:
        for i, frame in enumerate(container.decode(video=0)):
            yield time_of(i), frame.to_ndarray(format="bgr24")


def time_of(index: int) -> datetime:
    """UTC time given to the frame `index`, 0 first."""
    return START + timedelta(milliseconds=round(1000 * index / FPS))


def read_truth(folder: Path) -> pd.DataFrame:
    """Boxes and floor positions of everyone: camera_id, frame (0 first), t_utc, person, x0..y1,
    x_m, y_m, ignore (False).

    The floor position is the middle of the box's lower edge through the whole of Tsai's model.
    Raises BadInput.
    """
    rows = []
    for frame in _xml(folder / ANNOTATIONS).iter("frame"):
        for person in frame.iter("object"):
            box = person.find("box").attrib
            x, y, w, h = (float(box[key]) for key in ("xc", "yc", "w", "h"))
            rows.append((int(frame.attrib["number"]), int(person.attrib["id"]), x, y, w, h))
    table = pd.DataFrame(rows, columns=["frame", "person", "x", "y", "w", "h"])
    if table.empty:
        raise BadInput(
            f"{folder / ANNOTATIONS}: expected <frame number><object id><box xc yc w h>, found none"
        )
    table["t_utc"] = pd.to_datetime([time_of(i) for i in table["frame"]], utc=True)
    half_w = table["w"] / 2
    half_h = table["h"] / 2
    x0 = table["x"] - half_w
    y0 = table["y"] - half_h
    x1 = table["x"] + half_w
    y1 = table["y"] + half_h
    ground = _Tsai(folder).ground(np.c_[table["x"], y1])
    table = table.assign(
        x0=x0, y0=y0, x1=x1, y1=y1, x_m=ground[:, 0], y_m=ground[:, 1], ignore=False
    )
    return table.assign(camera_id=CAMERA)[
        ["camera_id", "frame", "t_utc", "person", "x0", "y0", "x1", "y1", "x_m", "y_m", "ignore"]
    ]


def in_tracking_area(folder: Path, boxes: pd.DataFrame) -> NDArray[np.bool_]:
    """(n,) whether the middle of the lower edge of each box (x0..y1, px) stands in
    TRACKING_AREA_M.
    """
    feet = np.c_[(boxes["x0"] + boxes["x1"]) / 2, boxes["y1"]].reshape(-1, 2)
    x, y = _Tsai(folder).ground(feet).T
    x_from, x_to, y_from, y_to = TRACKING_AREA_M
    return np.asarray((x_from <= x) & (x <= x_to) & (y_from <= y) & (y <= y_to))


def read_camera(folder: Path) -> Camera:
    """The camera's record. Raises BadInput where the calibration is missing.

    Tsai's distortion leads from distorted to undistorted millimetres on the sensor, r_u = r_d (1 +
    k r_d²); the record's (OpenCV's) the other way: the first terms of the inverse series are -k, 3
    k² and -12 k³, in units of the focal length.
    """
    tsai = _Tsai(folder)
    k = tsai.given["kappa1"] * tsai.given["focal"] ** 2
    fx, fy, cx, cy = tsai.lens
    return Camera(
        camera_id=CAMERA,
        image_width=int(tsai.given["width"]),
        image_height=int(tsai.given["height"]),
        homography_px_to_local=tuple(map(tuple, tsai.to_ground.tolist())),
        position_local_m=tuple((-tsai.turn.T @ tsai.shift_m).tolist()),
        intrinsics={"fx": fx, "fy": fy, "cx": cx, "cy": cy},
        distortion=(-k, 3 * k**2, 0.0, 0.0, -12 * k**3),
    )


class _Tsai:
    """Tsai's camera model (1987, IEEE Journal of Robotics and Automation 3(4), section II)."""

    def __init__(self, folder: Path) -> None:
        path = folder / CALIBRATION
        root = _xml(path)
        given = {}
        for tag in ("Geometry", "Intrinsic", "Extrinsic"):
            given |= {
                key: float(value)
                for element in root.iter(tag)
                for key, value in element.attrib.items()
            }
        if not {"dpx", "dpy", "focal", "kappa1", "cx", "cy", "sx", "tx", "rx"} <= given.keys():
            raise BadInput(
                f"{path}: expected Tsai's calibration (Geometry, Intrinsic, Extrinsic), found "
                f"{sorted(given)}"
            )
        self.given = given
        self.lens = (
            given["focal"] * given["sx"] / given["dpx"],
            given["focal"] / given["dpy"],
            given["cx"],
            given["cy"],
        )
        self.turn = _rotation(given["rx"], given["ry"], given["rz"])
        self.shift_m = np.array([given["tx"], given["ty"], given["tz"]]) / 1000
        fx, fy, cx, cy = self.lens
        matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        to_ground = np.linalg.inv(matrix @ np.c_[self.turn[:, :2], self.shift_m])
        self.to_ground = to_ground / to_ground[2, 2]

    def ground(self, px: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 2) metres on the floor of pixels (n, 2)."""
        fx, fy, cx, cy = self.lens
        ray = (px - [cx, cy]) / [fx, fy]
        ray = ray * (
            1 + self.given["kappa1"] * self.given["focal"] ** 2 * (ray**2).sum(1, keepdims=True)
        )
        at = np.c_[ray * [fx, fy] + [cx, cy], np.ones(len(px))] @ self.to_ground.T
        return at[:, :2] / at[:, 2:]


def _xml(path: Path) -> ET.Element:
    try:
        return ET.parse(path).getroot()
    except (OSError, ET.ParseError) as error:
        raise BadInput(
            f"{path}: expected the file of PETS09-S2L1 as OpenTraj has it ({error})"
        ) from error


def _rotation(rx: float, ry: float, rz: float) -> NDArray[np.float64]:
    """Rz Ry Rx of angles in radians."""
    (sx, sy, sz), (cx, cy, cz) = np.sin([rx, ry, rz]), np.cos([rx, ry, rz])
    return np.array(
        [
            [cy * cz, cz * sx * sy - cx * sz, sx * sz + cx * cz * sy],
            [cy * sz, sx * sy * sz + cx * cz, cx * sy * sz - cz * sx],
            [-sy, cy * sx, cx * cy],
        ]
    )
