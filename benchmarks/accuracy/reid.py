"""Re-identification by body appearance on pictures with truth: rank-1, rank-5 and mAP, by
torchreid's own metrics.

python -m benchmarks.accuracy.reid demo                              a synthetic site: people cut
out by truth/boxes.csv python -m benchmarks.accuracy.reid FOLDER --model insightface-reid   FOLDER
has query/ and gallery/ (or bounding_box_test/)

Pictures of query/ and gallery/ are named as Market-1501's: `<person>_c<camera>...jpg`. On a site,
each person gives `--each` pictures a camera, spread over the time seen; every picture is a query
against all of other cameras. As always in re-identification, pictures of the same person by the
query's own camera do not count.

Needs torchreid for its metrics (`pip install --no-deps torchreid==0.2.5`; torch is not used),
loaded by its file.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pandas as pd

from benchmarks.accuracy.footage import frames
from models.interface import AppearanceEmbedder, Image
from models.registry import load_appearance
from models.settings import ModelSettings

NAMED = re.compile(r"(?P<person>-?\d+)_c(?P<camera>\d+)")
VISIBLE, HEIGHT_PX = 0.7, 48  # of a person cut out of a site: less shows too little of the clothes


@dataclass(frozen=True)
class Pictures:
    """Crops of people with their owner and camera."""

    images: list[Image]
    person: np.ndarray
    camera: np.ndarray


def main() -> None:
    """Print the figures, and write them as JSON where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="osnet-x0-25")
    parser.add_argument("--pack", type=Path, default=None)
    parser.add_argument("--each", type=int, default=10)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rank = torchreid_rank()
    settings = ModelSettings(appearance=given.model, pack=given.pack, accept_noncommercial=True)
    model = load_appearance(settings)
    query, gallery = read(given.folder, given.each)
    start = time.process_time()
    q = embed(model, query)
    g = embed(model, gallery)
    spent = (time.process_time() - start) / (len(q) + len(g))
    found = evaluate(rank, q, g, query, gallery)
    found |= {
        "model": given.model,
        "queries": len(q),
        "gallery": len(g),
        "ms_a_crop": round(spent * 1e3, 2),
    }
    found |= {"people": len(set(query.person)), "cameras": len(set(gallery.camera))}
    print(
        f"{given.model}: rank-1 {found['rank1']:.3f}, rank-5 {found['rank5']:.3f}, mAP "
        f"{found['mAP']:.3f}"
        f"  ({found['queries']} queries, {found['gallery']} in the gallery, {found['people']} "
        "people,"
        f" {found['cameras']} cameras; {found['ms_a_crop']} ms CPU a crop)"
    )
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


def torchreid_rank() -> ModuleType:
    """torchreid's metrics/rank.py. The package itself cannot be imported without torchvision and
    tensorboard.
    """
    spec = importlib.util.find_spec("torchreid")
    for root in (spec.submodule_search_locations or []) if spec else []:
        path = Path(root) / "reid" / "metrics" / "rank.py"
        if path.is_file():
            found = importlib.util.spec_from_file_location("torchreid_rank", path)
            assert found is not None, path
            module = importlib.util.module_from_spec(found)
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore"
                )  # its compiled version is missing: slower, the same numbers
                found.loader.exec_module(module)
            return module
    sys.exit("torchreid's metrics are needed: pip install --no-deps torchreid==0.2.5")


def evaluate(
    rank: ModuleType, q: np.ndarray, g: np.ndarray, query: Pictures, gallery: Pictures
) -> dict[str, float]:
    """Rank-1, rank-5, mAP of vectors (n, d), (m, d) of length 1, on cosine distance."""
    curve, mean_ap = rank.evaluate_rank(
        1 - q @ g.T,
        query.person,
        gallery.person,
        query.camera,
        gallery.camera,
        max_rank=5,
        use_cython=False,
    )
    return {"rank1": float(curve[0]), "rank5": float(curve[-1]), "mAP": float(mean_ap)}


def embed(embedder: AppearanceEmbedder, pictures: Pictures) -> np.ndarray:
    """(n, d) of length 1."""
    return embedder.embed(pictures.images)


def read(folder: Path, each: int) -> tuple[Pictures, Pictures]:
    """Query and gallery of a site with truth, or of a folder of named pictures."""
    if (folder / "truth" / "boxes.csv").is_file():
        everyone = of_site(folder, each)
        return everyone, everyone
    named = [folder / n for n in ("gallery", "bounding_box_test") if (folder / n).is_dir()]
    if not (folder / "query").is_dir() or not named:
        sys.exit(
            f"{folder}: truth/boxes.csv, or query/ and gallery/ with pictures named 0001_c1….jpg, "
            "expected"
        )
    return of_files(folder / "query"), of_files(named[0])


def of_files(folder: Path) -> Pictures:
    """Pictures by their names; -1 is Market-1501's junk and left out."""
    images = []
    person = []
    camera = []
    for path in sorted(folder.glob("*.*")):
        parts = NAMED.match(path.name)
        image = cv2.imread(str(path))
        if parts and image is not None and int(parts["person"]) >= 0:
            images.append(np.asarray(image, np.uint8))
            person.append(int(parts["person"]))
            camera.append(int(parts["camera"]))
    if not images:
        sys.exit(f"{folder}: no picture named <person>_c<camera>….jpg")
    return Pictures(images, np.array(person), np.array(camera))


def of_site(site: Path, each: int) -> Pictures:
    """People cut out by the truth, at most `each` a person and camera, evenly over the frames in
    which they are seen.
    """
    truth = pd.read_csv(site / "truth" / "boxes.csv", parse_dates=["t_utc"])
    clear = truth[(truth.visible >= VISIBLE) & (truth.y1 - truth.y0 >= HEIGHT_PX)]
    chosen = pd.concat(
        rows.iloc[np.unique(np.linspace(0, len(rows) - 1, each).round().astype(int))]
        for _, rows in clear.sort_values("t_utc").groupby(["camera", "person"])
    )
    wanted = set(zip(chosen.camera, chosen.t_utc, chosen.person, strict=True))
    images = []
    person = []
    camera = []
    row: Any
    for frame in frames(site, every=1):
        for row in frame.truth.itertuples():
            if (frame.camera, frame.t_utc, row.person) in wanted:
                x0 = max(0, round(row.x0))
                y0 = max(0, round(row.y0))
                images.append(
                    np.ascontiguousarray(frame.image[y0 : round(row.y1), x0 : round(row.x1)])
                )
                person.append(row.person)
                camera.append(frame.camera)
    return Pictures(images, pd.factorize(np.array(person))[0], pd.factorize(np.array(camera))[0])


if __name__ == "__main__":
    main()
