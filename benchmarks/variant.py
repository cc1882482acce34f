"""`python -m benchmarks.variant FOLDER OUT [options]`: another site from one with truth, so that
nothing is tuned to one.

The footage is decoded, changed and encoded anew; cameras, itinerary, reference pictures and truth
are changed with it, exactly. OUT is laid out like FOLDER and is read by `python -m benchmarks.site
OUT`. Missing segments stay missing, damaged ones damaged.

    --mirror        left becomes right, in the pictures and on the ground
    --turn DEG      the ground plane is turned about its origin
    --scale S       pictures S times as wide and high
    --gain G        light: grey levels times G, with sensor noise of --noise levels
    --crf N         H.264 quality; larger is worse
    --segment S     seconds a segment
    --later S       everything happens S seconds later
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd

from data_contracts import object_key
from data_contracts.camera import Origin
from data_contracts.errors import VideoUnreadable
from tasks.footage import reading
from tasks.footage.picture import decode_picture

_TIMES = ("t_utc", "start_utc", "end_utc")
# Deviation of whole numbers spread evenly over -128 to 127.
_GRAIN_SD = 73.9
_SIDES = [("x0", "x1"), ("head_x0", "head_x1")]


@dataclass(frozen=True)
class Variant:
    """How the new site differs."""

    mirror: bool = False
    turn_deg: float = 0.0
    scale: float = 1.0
    gain: float = 1.0
    noise: float = 0.0
    crf: int = 23
    segment_s: float | None = None
    later_s: float = 0.0

    @property
    def ground(self) -> np.ndarray:
        """(2, 2) old to new ground positions: mirrored east to west, then turned
        counter-clockwise.
        """
        a = math.radians(self.turn_deg)
        turn = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
        return turn @ np.diag([-1.0 if self.mirror else 1.0, 1.0])

    def size(self, width: int, height: int) -> tuple[int, int]:
        """New picture size; even, as 4:2:0 wants it."""
        return 2 * round(width * self.scale / 2), 2 * round(height * self.scale / 2)

    def picture(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A frame or portrait (h, w, 3) changed."""
        out = image[:, ::-1] if self.mirror else image
        out = cv2.resize(out, self.size(out.shape[1], out.shape[0]), interpolation=cv2.INTER_AREA)
        if self.gain != 1 or self.noise:
            grain = rng.integers(-128, 128, out.shape, np.int8).astype(np.float32) * (
                self.noise / _GRAIN_SD
            )
            out = np.clip(out * np.float32(self.gain) + grain, 0, 255).astype(np.uint8)
        return np.ascontiguousarray(out)


def make_variant(site: Path, out: Path, variant: Variant) -> None:
    """Write the changed site. `out` must not exist."""
    out.mkdir(parents=True)
    rng = np.random.default_rng(0)
    features = json.loads((site / "cameras.geojson").read_text())
    widths = {
        f["properties"]["camera_id"]: f["properties"]["image_width"] for f in features["features"]
    }
    for feature in features["features"]:
        _camera(feature, variant)
    (out / "cameras.geojson").write_text(json.dumps(features))
    for path in sorted((site / "reference").rglob("*.jpg")):
        image = decode_picture(path.name, path.read_bytes())
        portrait = Variant(mirror=variant.mirror).picture(image, rng)
        target = out / path.relative_to(site)
        target.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target), portrait, [cv2.IMWRITE_JPEG_QUALITY, 95])
    _itinerary(site, out, variant)
    (out / "truth").mkdir()
    for path in sorted((site / "truth").glob("*.csv")):
        _truth(pd.read_csv(path), variant, widths).to_csv(out / "truth" / path.name, index=False)
    for camera in sorted(p for p in (site / "footage").iterdir() if p.is_dir()):
        _footage(camera, site / "footage", out / "footage", variant, rng)


def _camera(feature: dict, variant: Variant) -> None:
    """Change one camera in place."""
    props = feature["properties"]
    width = props["image_width"]
    height = props["image_height"]
    new_width, new_height = variant.size(width, height)
    across = new_width / width
    down = new_height / height
    # New pixels to old ones: unscale, then mirror about the picture's middle (pixel 0 becomes pixel
    # width - 1).
    back = np.diag([1 / across, 1 / down, 1.0])
    if variant.mirror:
        back = np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]]) @ back
    ground = np.eye(3)
    ground[:2, :2] = variant.ground
    homography = ground @ np.asarray(props["homography_px_to_local"], float) @ back
    props["homography_px_to_local"] = homography.tolist()
    props["image_width"], props["image_height"] = new_width, new_height
    if props.get("position_local_m"):
        x, y, z = props["position_local_m"]
        props["position_local_m"] = [*(variant.ground @ [x, y]), z]
    if props.get("intrinsics"):
        k = props["intrinsics"]
        cx = (width - 1 - k["cx"]) if variant.mirror else k["cx"]
        props["intrinsics"] = {
            "fx": k["fx"] * across,
            "fy": k["fy"] * down,
            "cx": cx * across,
            "cy": k["cy"] * down,
        }
    props.pop("azimuth_deg", None)
    origin = Origin(lon=props["local_origin"]["lon"], lat=props["local_origin"]["lat"])
    feature["geometry"]["coordinates"] = _moved(feature["geometry"]["coordinates"], origin, variant)
    if props.get("coverage"):
        rings = props["coverage"]["coordinates"]
        props["coverage"]["coordinates"] = [
            [_moved(point, origin, variant) for point in ring] for ring in rings
        ]


def _moved(lon_lat: list[float], origin: Origin, variant: Variant) -> list[float]:
    x, y = variant.ground @ np.array(origin.to_local(*lon_lat[:2]))
    return list(origin.to_wgs84(float(x), float(y)))


def _itinerary(site: Path, out: Path, variant: Variant) -> None:
    table = pd.read_csv(site / "itinerary.csv")
    for column in ("from", "to"):
        moved = [
            datetime.fromisoformat(t) + timedelta(seconds=variant.later_s) for t in table[column]
        ]
        table[column] = [t.isoformat() for t in moved]
    table.to_csv(out / "itinerary.csv", index=False)


def _truth(table: pd.DataFrame, variant: Variant, widths: dict[str, int]) -> pd.DataFrame:
    out = table.copy()
    for column in set(_TIMES) & set(out.columns):
        moved = pd.to_datetime(out[column], utc=True, format="ISO8601") + pd.Timedelta(
            seconds=variant.later_s
        )
        out[column] = moved.dt.strftime("%Y-%m-%dT%H:%M:%S.%f").str[:-3] + "Z"
    if {"x_m", "y_m"} <= set(out.columns):
        out[["x_m", "y_m"]] = (out[["x_m", "y_m"]].to_numpy(float) @ variant.ground.T).round(4)
    if "heading_deg" in out.columns:
        mirrored = 180 - out["heading_deg"] if variant.mirror else out["heading_deg"]
        out["heading_deg"] = (mirrored + variant.turn_deg) % 360
    if "camera" in out.columns:
        width = out["camera"].map(widths)
        for left, right in _SIDES:
            if variant.mirror:
                out[left], out[right] = width - out[right], width - out[left]
        pixels = [
            c
            for c in out.columns
            if c in ("x0", "x1", "y0", "y1", "head_px") or c.startswith(("head_x", "head_y"))
        ]
        out[pixels] = (out[pixels] * variant.scale).round(1)
    return out


def _footage(
    camera: Path, root: Path, out: Path, variant: Variant, rng: np.random.Generator
) -> None:
    """Encode one camera's segments anew, cut to the new length; what cannot be read becomes a
    damaged file.
    """
    whole: Path | None = None
    broken: list[Path] = []
    for path in sorted(camera.rglob("*.mp4")):
        name = object_key.read_segment(path.relative_to(root).as_posix())
        assert name is not None
        try:
            for start, frames in _cut(path.read_bytes(), name.start_utc, variant.segment_s):
                whole = out / object_key.segment(
                    camera.name, start + timedelta(seconds=variant.later_s)
                )
                _encode(whole, start, frames, variant, rng)
        except VideoUnreadable:
            broken.append(
                out
                / object_key.segment(
                    camera.name, name.start_utc + timedelta(seconds=variant.later_s)
                )
            )
    for target in broken:
        if whole is None:
            raise VideoUnreadable(f"{camera}: no segment can be read")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])


def _cut(
    data: bytes, start: datetime, length_s: float | None
) -> Iterator[tuple[datetime, Iterator[reading.Frame]]]:
    """Start and frames of each new segment; all of one segment's frames must be taken before the
    next.
    """

    def begin(frame: reading.Frame) -> datetime:
        if not length_s:
            return start
        return start + (frame.t_utc - start) // timedelta(seconds=length_s) * timedelta(
            seconds=length_s
        )

    return itertools.groupby(reading.frames(data, start), key=begin)


def _encode(
    path: Path,
    begin: datetime,
    frames: Iterator[reading.Frame],
    variant: Variant,
    rng: np.random.Generator,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25))
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, 1000)
        stream.options = {"crf": str(variant.crf), "preset": "veryfast", "g": "10", "bf": "0"}
        for number, frame in enumerate(frames):
            image = variant.picture(frame.image, rng)
            if number == 0:
                stream.height, stream.width, _ = image.shape
            picture = av.VideoFrame.from_ndarray(image, format="bgr24")
            picture.pts = round((frame.t_utc - begin).total_seconds() * 1000)
            picture.time_base = Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def main() -> None:
    """Parse the command line and write the variant."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.variant",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--mirror", action="store_true")
    parser.add_argument("--turn", type=float, default=0.0)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--gain", type=float, default=1.0)
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--crf", type=int, default=23)
    parser.add_argument("--segment", type=float)
    parser.add_argument("--later", type=float, default=0.0)
    o = parser.parse_args()
    variant = Variant(o.mirror, o.turn, o.scale, o.gain, o.noise, o.crf, o.segment, o.later)
    make_variant(o.folder, o.out, variant)
    print(f"written to {o.out}: python -m benchmarks.site {o.out}")


if __name__ == "__main__":
    main()
