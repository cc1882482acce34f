"""What searching for looks adds to a scan, where nobody is followed: processor time by camera.

python -m benchmarks.accuracy.scan_cost SITE
"""

from __future__ import annotations

import argparse
import hmac
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from benchmarks.redaction.footage import authorised, read_footage
from benchmarks.site.compare import discover_subjects
from data_contracts.policy import SearchSettings
from models.registry import load
from tasks.footage.segment import SegmentInput
from tasks.observe.looks import Footage, build_looks, compare_looks
from tasks.observe.match import SubjectSearch
from tasks.observe.scan import scan_segment
from tasks.observe.template import build_template

T = TypeVar("T")
# The least of so many is what it costs on a machine that does other work too.
_TIMES = 3


def main() -> None:
    """Print a row a camera."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path)
    parser.add_argument("--segments", type=int, default=2, help="of each camera, from the first on")
    given = parser.parse_args()
    subject = discover_subjects(given.site)[0]
    footage = read_footage(given.site)
    case = authorised(subject, ("face", "appearance"))
    models = load()
    key = secrets.token_bytes(32)

    def derive(salt: bytes) -> bytes:
        return hmac.digest(key, salt, "sha256")

    template = build_template(case, subject.references, models, derive)
    search = SubjectSearch(case, template, models, SearchSettings())
    for camera in footage.cameras:
        scan_s = looks_s = 0.0
        bodies = 0
        at = footage.site.by_id[camera]
        for start, data, _ in footage.segments[camera][: given.segments]:
            segment = SegmentInput(at, camera, start, data)
            found, took_s = _timed(lambda s=segment: scan_segment(s, search).bodies)
            scan_s += took_s
            sure = found["score"].to_numpy(float) >= models.person_scores.looked_at
            seen = Footage(at, start, data, found, sure)
            # Of anybody: what they look like does not change what comparing costs.
            looks = build_looks(case, [seen], derive)
            if looks is not None:
                compared, took_s = _timed(lambda s=seen, w=looks: compare_looks(case, s, w))
                looks_s += took_s
                bodies += len(compared)
        print(
            f"{camera:<12} scan {scan_s:.2f} s, looks {looks_s:.2f} s of {bodies} bodies: "
            f"{1 + looks_s / scan_s:.2f} times"
        )


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """What the work gives, and the least of its processor times, s."""
    least = float("inf")
    for _ in range(_TIMES):
        began = time.process_time()
        out = work()
        least = min(least, time.process_time() - began)
    return out, least


if __name__ == "__main__":
    main()
