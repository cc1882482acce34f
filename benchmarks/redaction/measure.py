"""Redaction measured on a site whose truth is known: what is shown of bystanders, and whether
anybody finds them.

python -m benchmarks.redaction demo [--modes normal dropout noise dim] [--dropout 0.3]
    [--seeds N ...] [--every N] [--truth-boxes] [--no-attack] [--json OUT]

The whole time that the subject is to be seen is cut into clips, which are redacted as the flow
redacts pictures, with the project's own detections, tracks and sightings. The truth is only
compared with. Heads: a bystander's head of 16 px or more of which 30 % or more is to be seen;
leaked when over a tenth of it (the ellipse in its true box, as far as the person is visible) is not
hidden. Subject shown: over half of their head, of the frames in which they are tracked; in clips:
of the clips with such frames, those with one that shows them. The attack
(benchmarks/redaction/attack.py) reads the files as written.

Modes: `normal`; `dropout` (a share of all detections is lost); `noise` and `dim` (the footage
recorded anew with a sensor's noise, and in a third of the light; each also with nothing detected at
all); `no detections`, `no empty scene`, `untracked here`, `untracked anywhere`, `unseen by all`.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from benchmarks.redaction.attack import Attack
from benchmarks.redaction.footage import (
    Degraded,
    Dropout,
    Eyes,
    Footage,
    People,
    Tracked,
    authorised,
    follow_people,
    look,
    read_footage,
    truth_people,
)
from benchmarks.redaction.heads import Figures, compare, now
from benchmarks.truth import Subject, discover_subjects, read_truth
from data_contracts.camera import Camera
from flows.stages.redact import detectors
from models.registry import Models, load
from tasks.redaction import render
from tasks.redaction.background import Background
from tasks.redaction.plan import PictureJob
from tasks.redaction.redact import Detectors, RedactSettings

SETTINGS = RedactSettings()
# Noise of a small sensor at high gain, and a third of the light with the noise that goes with it.
LIGHTS = {"noise": Degraded(light=1.0, noise=5.0), "dim": Degraded(light=0.3, noise=4.0)}
BLIND = ", nothing detected"


class Mode(NamedTuple):
    """One way in which redaction has to do: whose tracks (by camera), which detectors, whether the
    empty scene is known, and which footage where it is not the site's (`control` names it).
    """

    name: str
    people: Callable[[Camera], People]
    eyes: Detectors
    scene: bool = True
    footage: Footage | None = None
    control: str = "clean footage"


def main() -> None:
    """Print the tables; write them as JSON where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "site",
        type=Path,
        help="folder with footage/, cameras.geojson, reference/, itinerary.csv, truth/",
    )
    parser.add_argument(
        "--dropout", type=float, default=0.3, help="share of detections lost in the mode dropout"
    )
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0], help="of the mode dropout: one mode each"
    )
    parser.add_argument(
        "--modes",
        nargs="+",
        default=[""],
        help="beginnings of the modes' names; all where left out",
    )
    parser.add_argument("--every", type=int, default=1, help="redact every n-th clip only")
    parser.add_argument("--subject", help="name in the truth; the first where left out")
    parser.add_argument(
        "--truth-boxes",
        action="store_true",
        help="tracks from the truth instead of the project's own",
    )
    parser.add_argument(
        "--no-attack", action="store_true", help="leave out face detection and recognition"
    )
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    figures = measure(given)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """All modes on all cameras."""
    footage = read_footage(given.site)
    truth = read_truth(given.site)
    models = load()
    subjects = {s.name: s for s in discover_subjects(given.site)}
    subject = subjects[given.subject or min(subjects)]
    eyes = Eyes(models, lambda m: detectors(m, SETTINGS))
    drops = {
        f"dropout {given.dropout:g} seed {seed}": Dropout(given.dropout, seed)
        for seed in given.seeds
    }
    if given.truth_boxes:
        known = truth_people(truth, footage.site, subject.name)
        few = {
            name: truth_people(truth, footage.site, subject.name, drop)
            for name, drop in drops.items()
        }
    else:
        case = authorised(subject)
        found = look(case, footage, subject, models, lambda text: print(text, flush=True))
        known = follow_people(case, footage, found)
        at = found[["x0", "y0", "x1", "y1"]].to_numpy()
        few = {
            name: follow_people(case, footage, found[drop.keeps(at)])
            for name, drop in drops.items()
        }
    wanted = tuple(given.modes)
    modes = [
        Mode("normal", lambda _: known, eyes.through(None)),
        *(
            Mode(name, partial(_always, few[name]), eyes.through(drop))
            for name, drop in drops.items()
        ),
        Mode("no detections", lambda _: known.nobody(), eyes.through(None, blind=True)),
        Mode("no empty scene", lambda _: known, eyes.through(None), scene=False),
        Mode(
            "untracked here",
            lambda at: known.without_bystanders(at, footage.site),
            eyes.through(None),
        ),
        Mode("untracked anywhere", lambda _: known.alone(), eyes.through(None)),
        Mode("unseen by all", lambda _: known.alone(), eyes.through(None, blind=True)),
    ]
    for name, degraded in LIGHTS.items():
        if any(f"{name}{blind}".startswith(wanted) for blind in ("", BLIND)):
            modes += _in_light(name, degraded, footage, subject, models, eyes, known, given)
    modes = [mode for mode in modes if mode.name.startswith(wanted)]
    boxes = truth.boxes[truth.boxes["footage"] != "missing"]
    attack = None if given.no_attack else Attack(footage, boxes, subject.name, models)
    table: dict[str, dict[str, Figures]] = {mode.name: {} for mode in modes}
    for camera in footage.cameras:
        _camera(
            camera,
            footage,
            boxes[boxes["camera"] == camera],
            subject.name,
            modes,
            eyes,
            attack,
            table,
            given.every,
        )
    return report(given, table, attack)


def _in_light(
    name: str,
    degraded: Degraded,
    footage: Footage,
    subject: Subject,
    models: Models,
    eyes: Eyes,
    known: People,
    given: argparse.Namespace,
) -> list[Mode]:
    """Two modes on degraded footage: one that detects and tracks on it, and one in which nothing is
    ever detected, so that the empty scene alone hides people.
    """
    seen = degraded.of(footage)
    control = f"clean, {name}"
    blind = Mode(
        f"{name}{BLIND}",
        lambda _: known.nobody(),
        eyes.through(None, blind=True),
        footage=seen,
        control=control,
    )
    if not name.startswith(tuple(given.modes)):
        return [blind]
    if not given.truth_boxes:
        case = authorised(subject)
        found = look(case, seen, subject, models, lambda text: print(f"{text}, {name}", flush=True))
        known = follow_people(case, seen, found)
    people = partial(_always, known)
    return [Mode(name, people, eyes.through(None), footage=seen, control=control), blind]


def _always(people: People, _: Camera) -> People:
    return people


def _camera(camera, footage, boxes, subject, modes, eyes, attack, table, every) -> None:
    """Every clip of one camera, in every mode."""
    at = footage.site.by_id[camera]
    tracked = {mode.name: mode.people(at).on(at, SETTINGS) for mode in modes}
    scenes = {mode.name: scene_of(at, footage, mode, tracked[mode.name]) for mode in modes}
    for n, job in enumerate(jobs(camera, boxes[boxes["person"] == subject])):
        if n % every:
            continue
        for mode in modes:
            near = (mode.footage or footage).near(camera, job.start_utc, job.end_utc)
            figures = table[mode.name].setdefault(camera, Figures())
            who = tracked[mode.name]
            ready = job.model_copy(update={"subject_tracks": who.subject})
            view = render.CameraView(at, near, who.tracks)
            frames, files = redact_clip(ready, view, scenes[mode.name], mode.eyes, figures)
            count(frames, boxes, subject, who, figures)
            if attack is not None:
                attack.on(mode.name, camera, [f.frame for f in frames], files, mode.control)
        eyes.forget()
        print(".", end="", flush=True)
    print(f" {camera}")
    for mode in modes:
        if camera in table[mode.name]:
            print_line(mode.name, camera, table[mode.name][camera].line())


def count(
    frames: list[render.Judged], boxes: pd.DataFrame, subject: str, who: Tracked, figures: Figures
) -> None:
    """Compare one clip with the truth. The subject can be shown only while they are tracked: other
    frames do not count.
    """
    before = figures.subject_frames, figures.subject_shown
    own = who.tracks.loc[who.tracks["track_id"].isin(who.subject), "t_utc"]
    reach = timedelta(seconds=SETTINGS.neighbours_s)
    for frame in frames:
        tracked = own.between(frame.frame.t_utc - reach, frame.frame.t_utc + reach).any()
        compare(frame, now(boxes, frame.frame.t_utc), subject, figures, bool(tracked))
    figures.clips += figures.subject_frames > before[0]
    figures.clips_shown += figures.subject_shown > before[1]


def scene_of(camera: Camera, footage: Footage, mode: Mode, tracked: Tracked) -> Background | None:
    """The camera's empty scene as the flow makes it."""
    if not mode.scene:
        return None
    segments = (mode.footage or footage).segments[camera.camera_id]
    view = render.CameraView(camera, segments, tracked.tracks)
    return render.background_of(view, mode.eyes, SETTINGS)


def jobs(camera: str, own: pd.DataFrame) -> Iterator[PictureJob]:
    """Clips that cover the time in which the subject is in the picture."""
    span = timedelta(seconds=SETTINGS.clip_s)
    times = sorted(own["t_utc"])
    while times:
        start = times[0].to_pydatetime()
        inside = [t for t in times if t < start + span]
        times = times[len(inside) :]
        end = inside[-1].to_pydatetime()
        middle = start + (end - start) / 2
        yield PictureJob(
            name="S-01",
            camera_id=camera,
            start_utc=start,
            end_utc=end,
            still_utc=middle,
            subject_tracks=(),
        )


def redact_clip(
    job: PictureJob,
    view: render.CameraView,
    scene: Background | None,
    eyes: Detectors,
    figures: Figures,
) -> tuple[list[render.Judged], dict[str, bytes]]:
    """The judged frames and the files of one job, timed."""
    began = time.process_time()
    frames = render.judged(job, view, scene, eyes, SETTINGS)
    judged = time.process_time()
    files = render.written(job, frames, SETTINGS)
    figures.judge_s += judged - began
    figures.write_s += time.process_time() - judged
    return frames, files


def print_line(mode: str, camera: str, line: dict[str, Any]) -> None:
    """One row of the table."""
    print(
        f"{mode:20} {camera:12} {line['frames']:6} {line['heads']:6} {line['leaked']:6} "
        f"{line['leak_rate']:7.4f}"
        f" {line['subject_shown']:13.1%} {line['clips_shown']:4}/{line['clips']:<4} "
        f"{line['cpu_ms_per_frame']:8.1f}",
        flush=True,
    )


def report(
    given: argparse.Namespace, table: dict[str, dict[str, Figures]], attack: Attack | None
) -> dict[str, Any]:
    """Print the table and return what the JSON holds."""
    out: dict[str, Any] = {}
    print(
        f"\n{'mode':20} {'camera':12} frames  heads leaked    rate subject shown in clips ms/frame"
    )
    for name, cameras in table.items():
        total = Figures()
        for camera, figures in cameras.items():
            print_line(name, camera, figures.line())
            total = total.plus(figures)
        print_line(name, "all", total.line())
        rows = {camera: figures.line() for camera, figures in cameras.items()} | {
            "all": total.line()
        }
        out[name] = {"cameras": rows, "leaks": total.leaked}
    return {
        "site": given.site.name,
        "dropout": given.dropout,
        "seeds": given.seeds,
        "every": given.every,
        "boxes": "truth" if given.truth_boxes else "own",
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "modes": out,
        "attack": attack.report() if attack else None,
    }


if __name__ == "__main__":
    main()
