"""`python -m benchmarks.family FOLDER [--kept]`: trace the scenes of the family below FOLDER and
compare them with their truth, all together.

Scenes are rendered with `--render SIMULATOR PACK PYTHON` (see benchmarks/family/render.py) where
they are not there yet. `--detections FOLDER` keeps what the detectors found, so that what comes
after them is measured in seconds. Where no camera of a scene sees the subject's face well, they are
pointed at once, at a drawn instant, on a camera that sees them well.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.family.answered import after_answers
from benchmarks.family.figures import SceneFigures, figures_of, pooled
from benchmarks.family.pointed import pointed_at
from benchmarks.family.render import render
from benchmarks.family.stories import DEVELOPMENT, KEPT_APART, Story, draw
from benchmarks.family.trace import Traced, conclude, trace
from benchmarks.family.truth_boxes import truth_detections
from benchmarks.redaction.footage import authorised
from benchmarks.site.compare import compare, discover_subjects
from benchmarks.truth import Subject, Truth, read_truth
from data_contracts.camera import read_site_file
from data_contracts.errors import BadInput, EncounterError
from data_contracts.review import Decision

_LINE = "{:<12}{:<9}{:>8}{:>8}{:>9}{:>9}{:>9}  {:<16}{:<16}{:<8}"


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.family",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="where the scenes' folders are")
    parser.add_argument("--kept", action="store_true", help="the scenes kept apart")
    parser.add_argument("--only", type=int, nargs="+", metavar="NUMBER", help="only these scenes")
    parser.add_argument("--policy", default="demo-short", help="exposure policy by name")
    parser.add_argument("--detections", type=Path, help="read and keep detections below here")
    parser.add_argument(
        "--boxes",
        choices=("detected", "true", "cut"),
        default="detected",
        help="the detector's boxes, the true ones with jitter, or these with hidden parts cut off "
        "below",
    )
    parser.add_argument("--render", nargs=3, metavar=("SIMULATOR", "PACK", "PYTHON"))
    parser.add_argument("--looks", action="store_true", help="the consent names the appearance")
    parser.add_argument(
        "--answers",
        type=int,
        default=0,
        metavar="N",
        help="two reviewers who know the truth answer the N questions of sightings that are worth "
        "most, and N more after that",
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    stories = [draw(n) for n in options.only or (KEPT_APART if options.kept else DEVELOPMENT)]
    try:
        if options.render:
            simulator, pack, python = options.render
            for story in stories:
                render(story, options.folder, Path(simulator), Path(pack), python)
        figures = run(options, stories)
    except EncounterError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1, default=str) + "\n")


def run(options: argparse.Namespace, stories: list[Story]) -> dict[str, Any]:
    """Trace what is there; prints a row a scene and all of them together. Raises BadInput where
    nothing can be traced.
    """
    print(
        _LINE.format(
            "scene",
            "kind",
            "recall",
            "precis.",
            "pos. m",
            "p90 m",
            "dist. m",
            "contacts missed",
            "contacts false",
            "itself",
        )
    )
    scenes = []
    left_out = {}
    for story in stories:
        if not (options.folder / story.name / "truth" / "boxes.csv").is_file():
            left_out[story.name] = "not rendered"
        else:
            scenes.append(_scene(options, story))
            print(_row(scenes[-1], story), flush=True)
    for name, why in left_out.items():
        print(f"{name:<12}not traced ({why})")
    if not scenes:
        raise BadInput(
            f"{options.folder}: expected rendered scenes such as {stories[0].name}, found none; "
            "render them with --render"
        )
    together = pooled(scenes)
    print(*(_told(name, value) for name, value in together.items()), sep="\n")
    return {
        "scenes": {s.name: s.row for s in scenes},
        "not_traced": left_out,
        "together": together,
    }


def _scene(options: argparse.Namespace, story: Story) -> SceneFigures:
    folder = options.folder / story.name
    subject = discover_subjects(folder)[0]
    truth = read_truth(folder)
    traced = after_answers(
        _traced(options, story, subject, truth),
        truth,
        subject.name,
        options.answers,
        lambda decisions: _traced(options, story, subject, truth, decisions),
    )
    row = compare(folder, subject.name, traced.run)
    return figures_of(story.name, truth, subject, traced, row)


def _traced(
    options: argparse.Namespace,
    story: Story,
    subject: Subject,
    truth: Truth,
    decisions: Sequence[Decision] = (),
) -> Traced:
    folder = options.folder / story.name
    if options.boxes != "detected":
        site = read_site_file(folder / "cameras.geojson")
        found = truth_detections(truth, subject.name, site, options.boxes == "cut")
        return conclude(authorised(subject), site, found, options.policy, None, (), decisions)
    with tempfile.TemporaryDirectory() as scratch:
        kept = (options.detections or Path(scratch)) / f"{story.name}.parquet"
        points = (pointed_at(truth, subject.name, story.number),) if story.pointed else ()
        return trace(folder, subject, options.policy, kept, options.looks, points, decisions)


def _row(scene: SceneFigures, story: Story) -> str:
    row = scene.row
    contacts = row["contacts"]
    false = [
        f"{c} {key.replace('_', ' ')}"
        for key in ("no_one", "never_within_3m", "not_by_policy")
        for c in contacts[key]
    ]
    return _LINE.format(
        scene.name,
        story.kind,
        _n(row["seen"]["recall"]),
        _n(row["seen"]["precision"]),
        _n(row["position"]["median_m"]),
        _n(row["position"]["p90_m"]),
        _n(row["distance"]["all"]["median_abs_m"]),
        f"{len(contacts['missed'])} of {len(contacts['true'])}",
        "; ".join(false) or "none",
        len(contacts["subject_itself"]),
    )


def _told(name: str, value: Any) -> str:
    label = name.replace("_", " ")
    if not isinstance(value, list):
        return f"{label:<26}{_n(value) if isinstance(value, float) else value}"
    bins = [
        f"  {b['from']:.2f} to {b['to']:.2f}: said {b['said']:.3f}, right {b['right']:.3f} "
        f"(weight {b['weight']:.0f})"
        for b in value
    ]
    return "\n".join([label, *bins])


def _n(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
