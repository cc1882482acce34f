"""The attack on redacted files: face detection and recognition of bystanders, frame by frame and
over many frames; and recognition by clothes (benchmarks/redaction/clothes.py).

The attacker knows everything but the pixels: where each bystander's head is (from the truth) and
how everybody looks (faces cut from the clean footage, kept in memory only). Crops around the true
heads are cut from the decoded MP4 and JPEG; a face detector looks at them at a low threshold, and
what it finds is described by both embedders and compared with the clean faces. Several frames of a
clip are also put together, moved so that the head stands still: mean, median and maximum. The same
attack on the clean frames is the control: it says how much there was to find.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd

from benchmarks.redaction.clothes import ClothesAttack
from benchmarks.redaction.footage import Footage
from benchmarks.redaction.heads import MIN_HEAD_PX, SEEABLE, now
from data_contracts.errors import VideoUnreadable
from models.interface import FaceDetector, FaceEmbedder
from models.networks.centerface import CenterFace
from models.registry import Models, load
from models.settings import ModelSettings
from tasks.footage.reading import Frame, frames, key_frames
from tasks.footage.video import Source

# A detector's usual threshold is 0.35 to 0.5; below 0.2 empty walls have faces.
LOW_SCORE = 0.2
# Faces of each bystander that the attacker has for comparison, and how wide they must be.
_REFERENCES = 8
_REFERENCE_PX = 32
_MAX_ANGLE = 60
_CROP_HEADS = 2.5
_SIDE = 128
# Frames of one person that are put together.
_LEAST = 8
MERGES = ("mean", "median", "max")


class Gallery(NamedTuple):
    """Clean bystander faces: who, when, and one unit vector each (n, d) by embedder."""

    who: np.ndarray
    when: np.ndarray
    vectors: dict[str, np.ndarray]


class Attack:
    """Collects figures by mode; holds pictures of nobody between clips but the gallery's
    vectors.
    """

    def __init__(self, footage: Footage, boxes: pd.DataFrame, subject: str, models: Models) -> None:
        self._boxes = boxes[
            (boxes["person"] != subject)
            & (boxes["head_px"] >= MIN_HEAD_PX)
            & (boxes["head_visible"] >= SEEABLE)
        ]
        self._eyes = low_threshold(models.face)
        self._embedders: dict[str, FaceEmbedder] = {
            name: load(ModelSettings(embedder=name)).embedder for name in ("faceres", "dlib-resnet")
        }
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._clothes = ClothesAttack(boxes, subject)
        self._gallery = self._collect(footage)
        self._clean_done: set[tuple[str, str, Any]] = set()

    def on(
        self,
        mode: str,
        camera: str,
        clean: Sequence[Frame],
        files: dict[str, bytes],
        control: str = "clean footage",
    ) -> None:
        """Attack one clip as written. `clean`: its frames before redaction, for the control (one a
        kind of footage).
        """
        if not clean or not files:
            return
        times = [f.t_utc for f in clean]
        key = (control, camera, times[0])
        if key not in self._clean_done:
            self._clean_done.add(key)
            images = [f.image for f in clean]
            self._attack(control, camera, times, images)
            self._clothes.on(control, camera, times, images)
        written = [f.image for f in frames(files["S-01.mp4"], times[0])]
        self._attack(mode, camera, times, written)
        self._clothes.on(mode, camera, times, written)

    def report(self) -> dict[str, Any]:
        """Print and return the counts by mode."""
        people = len(set(self._gallery.who))
        print(
            f"\nattack: {people} bystanders with {len(self._gallery.who)} clean faces;"
            f" by chance 1 in {max(people, 1)} is named right"
        )
        columns = ("heads", "found", *(f"{name}" for name in self._embedders), "sets", *MERGES)
        print(f"{'':20}" + "".join(f"{c:>14}" for c in columns))
        out = {}
        for mode, n in self._counts.items():
            named = {name: f"{n[name]}/{n['named']}" for name in self._embedders}
            merged = {m: f"{n[m + ' found']}, {n[m + ' named']}" for m in MERGES}
            cells = {"heads": n["heads"], "found": n["found"], "sets": n["sets"], **named, **merged}
            print(f"{mode:20}" + "".join(f"{cells[c]!s:>14}" for c in columns))
            out[mode] = dict(n)
        print(
            "found: faces detected at the heads; embedders: named right / compared; mean, median, "
            "max: found, named right"
        )
        return {"faces": out, "clothes": self._clothes.report()}

    def _attack(self, mode: str, camera: str, times: list, images: list[np.ndarray]) -> None:
        count = self._counts[mode]
        stacks = defaultdict(list)
        for i, (t, image) in enumerate(zip(times, images, strict=True)):
            for row in self._heads(camera, t):
                crop = head_crop(image, row)
                stacks[row.person].append(crop)
                if i % 2:
                    continue  # neighbouring frames say the same: half the time
                count["heads"] += 1
                self._judge(count, crop, row.person, t, "")
        for person, crops in stacks.items():
            if len(crops) >= _LEAST:
                count["sets"] += 1
                pile = np.stack(crops).astype(np.float32)
                for name, merged in zip(
                    MERGES, (pile.mean(0), np.median(pile, axis=0), pile.max(0)), strict=True
                ):
                    self._judge(
                        count, np.clip(merged, 0, 255).astype(np.uint8), person, times[0], name
                    )

    def _judge(
        self, count: Counter[str], crop: np.ndarray, person: str, t: Any, merge: str
    ) -> None:
        marks = face_in(self._eyes, crop)
        if marks is None:
            return
        count[f"{merge} found".strip()] += 1
        right = {
            name: self._name(name, e, crop, marks, t) == person
            for name, e in self._embedders.items()
        }
        if person not in self._gallery.who:
            return
        if merge:
            count[f"{merge} named"] += any(right.values())
        else:
            count["named"] += 1
            for name, hit in right.items():
                count[name] += hit

    def _name(
        self, name: str, embedder: FaceEmbedder, crop: np.ndarray, marks: np.ndarray, t: Any
    ) -> str | None:
        """Whose clean face is nearest, those of about the same moment left out."""
        if not len(self._gallery.who):
            return None
        vector = embedder.embed([crop], [marks])[0]
        other = np.abs((self._gallery.when - pd.Timestamp(t).value) / 1e9) > 2.0
        score = np.where(other, self._gallery.vectors[name] @ vector, -2.0)
        return str(self._gallery.who[int(score.argmax())])

    def _heads(self, camera: str, t: Any) -> list:
        return list(now(self._boxes[self._boxes["camera"] == camera], t).itertuples())

    def _collect(self, footage: Footage) -> Gallery:
        """The widest frontal faces of each bystander, from key frames of the clean footage."""
        good = self._boxes[
            (self._boxes["face_angle_deg"] <= _MAX_ANGLE) & (self._boxes["head_visible"] >= 0.5)
        ]
        seen: dict[str, list] = defaultdict(list)
        for camera in footage.cameras:
            for start, data, _ in footage.segments[camera]:
                for frame in _readable(data, start):
                    rows = now(good[good["camera"] == camera], frame.t_utc)
                    for row in rows.itertuples():
                        crop = head_crop(frame.image, row)
                        marks = face_in(self._eyes, crop)
                        if marks is not None:
                            seen[row.person].append((row.head_px, frame.t_utc, crop, marks))
        chosen = [
            (p, *item)
            for p, items in seen.items()
            for item in sorted(items, key=lambda x: -x[0])[:_REFERENCES]
        ]
        who = np.array([c[0] for c in chosen], dtype=object)
        when = np.array([pd.Timestamp(c[2]).value for c in chosen], dtype=np.int64)
        vectors = {
            name: e.embed([c[3] for c in chosen], [c[4] for c in chosen])
            if chosen
            else np.zeros((0, 1))
            for name, e in self._embedders.items()
        }
        return Gallery(who, when, vectors)


def _readable(data: Source, start) -> list[Frame]:
    out = []
    try:
        for frame in key_frames(data, start):
            out.append(frame)
    except VideoUnreadable:
        pass  # some sites have a damaged segment on purpose
    return out


def low_threshold(detector: FaceDetector) -> FaceDetector:
    """The same detector that answers at LOW_SCORE already; other kinds as they are."""
    if isinstance(detector, CenterFace):
        low = object.__new__(CenterFace)
        low.__dict__.update(detector.__dict__ | {"_score": LOW_SCORE})
        return low
    return detector


def head_crop(image: np.ndarray, row) -> np.ndarray:
    """(_SIDE, _SIDE, 3): the true head in the middle, _CROP_HEADS heads wide."""
    centre = ((row.head_x0 + row.head_x1) / 2, (row.head_y0 + row.head_y1) / 2)
    side = _CROP_HEADS * max(row.head_x1 - row.head_x0, row.head_y1 - row.head_y0)
    scale = _SIDE / side
    move = np.array(
        [[scale, 0, _SIDE / 2 - scale * centre[0]], [0, scale, _SIDE / 2 - scale * centre[1]]]
    )
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(
        cv2.warpAffine(image, move, (_SIDE, _SIDE), flags=how, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )


def face_in(eyes: FaceDetector, crop: np.ndarray) -> np.ndarray | None:
    """Landmarks (5, 2) of the best face whose middle lies in the crop's head and whose size is a
    head's; None where none.
    """
    found = eyes.detect([crop])[0]
    head = _SIDE / _CROP_HEADS
    for box, marks in zip(found.xyxy, found.landmarks, strict=True):
        middle = np.abs((box[:2] + box[2:]) / 2 - _SIDE / 2)
        if middle.max() < head / 2 and 0.35 * head < box[2] - box[0] < 1.6 * head:
            return np.asarray(marks, np.float32)
    return None
