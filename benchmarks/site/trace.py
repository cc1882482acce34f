"""`python -m benchmarks.site FOLDER [--policy NAME] [--json OUT]`: trace any site laid out like
demo/ and compare with its truth.

Brings up a throw-away stack with throw-away keys, loads `footage/` and `cameras.geojson`, files one
case a subject with `itinerary.csv` and `reference/`, runs trace-case through the Prefect worker,
and compares what it wrote with `truth/`. Only the comparison reads `truth/`. The JSON's keys are
explained in docs/benchmark-site.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

from data_contracts.case import Scope
from data_contracts.errors import EncounterError
from data_contracts.time import parse_utc


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.site", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "folder",
        type=Path,
        help="site folder: footage/, cameras.geojson, itinerary.csv, reference/, truth/",
    )
    parser.add_argument("--policy", default="demo-short", help="exposure policy by name")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument(
        "--out", type=Path, help="also write each case's decrypted artefacts below this folder"
    )
    parser.add_argument(
        "--point",
        nargs=4,
        metavar=("CAMERA", "TIME", "X", "Y"),
        help="a consent to the appearance alone, from one instant that somebody pointed at",
    )
    parser.add_argument("--keep", action="store_true", help="keep the throw-away stack's folder")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="encounter-benchmark-"))
    os.environ["ENCOUNTER_HOME"] = str(home)
    try:
        figures = run(options.folder, options.policy, options.out, options.point)
    except EncounterError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    finally:
        stop(home, options.keep)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1, default=str) + "\n")


def stop(home: Path, keep: bool) -> None:
    """Stop the throw-away stack and remove its folder."""
    from infra.local import stack
    from infra.settings import load_settings

    stack.down(load_settings())
    if not keep:
        shutil.rmtree(home, ignore_errors=True)


def run(
    folder: Path, policy: str, out: Path | None, point: list[str] | None = None
) -> dict[str, object]:
    """Trace every subject of the site and compare; returns the figures."""
    from benchmarks.site.compare import compare, discover_subjects, render
    from data_contracts import object_key
    from flows.cli import stack
    from flows.cli.ingest import load_folder
    from flows.cli.models import pull_defaults
    from flows.cli.server import server_environment
    from flows.runtime.environment import environment

    began = time.monotonic()
    pull_defaults()
    stack.start()
    environment.cache_clear()
    env = server_environment()
    env.store.put(
        object_key.SITE,
        object_key.CAMERAS,
        (folder / "cameras.geojson").read_bytes(),
        "application/geo+json",
    )
    load_folder(folder / "footage")
    cases = []
    for number, subject in enumerate(discover_subjects(folder), start=1):
        tables, times = trace(env, f"BENCH-{number:02d}", subject, policy, out, point)
        figures = compare(folder, subject.name, tables)
        print(render(figures))
        print(render_times(times))
        cases.append({**figures, "stages": times})
    return {
        "site": folder.name,
        "policy": policy,
        "machine": (
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        ),
        "wall_s": round(time.monotonic() - began, 1),
        "cases": cases,
    }


def trace(env, case_id, subject, policy, out, point=None):
    """File one case, by face and appearance or from one point (camera, time, x, y); wait for its
    run, read what it wrote. Returns the comparison's tables and
    times by stage.
    """
    from benchmarks.site.run_tables import RunTables
    from data_contracts.tables.contracts import CONTACTS, ENCOUNTERS, GAPS, SIGHTINGS, TRAJECTORY
    from flows.cases.filing import file_case, store_case
    from flows.cases.point import point_at
    from flows.cases.throwaway import papers
    from flows.cli.waiting import wait_for
    from flows.runtime.open_case import open_case
    from flows.runtime.prefect_api import start_trace
    from flows.runtime.results import load
    from flows.runtime.stats import read_stats
    from flows.stages import publish
    from flows.stages.published import last_run

    scopes: tuple[Scope, ...] = ("face", "appearance") if point is None else ("appearance",)
    basis = "benchmark on synthetic people"
    signed = papers(
        env, case_id, subject.itinerary, subject.references, policy, basis, scopes=scopes
    )
    if point is None:
        started = file_case(env, signed)
    else:
        store_case(env, signed)
        camera, at, x, y = point
        point_at(env, case_id, camera, parse_utc(at), (float(x), float(y)))
        started = str(start_trace(case_id))
    if started is None:
        raise EncounterError("the throw-away Prefect server did not take the case")
    wait_for(started)
    vault = open_case(case_id).vault
    done = last_run(vault)
    if done is None:
        raise EncounterError(f"case {case_id}: its run published nothing")
    if out is not None:
        publish.fetch(vault, done, out / case_id)
    tables = {
        c.name: publish.read_table(vault, done, c)
        for c in (CONTACTS, ENCOUNTERS, SIGHTINGS, TRAJECTORY, GAPS)
    }
    points = load(vault, publish.load_manifest(vault, done).result.meetings["points"])
    return RunTables(encounter_points=points, policy=policy, **tables), stage_times(
        read_stats(vault, done)
    )


def stage_times(stats: list[dict]) -> dict[str, dict[str, float]]:
    """Wall and CPU seconds by stage; for stages that read video also per camera-hour of footage."""
    out: dict[str, dict[str, float]] = {}
    for row in stats:
        name = f"{row['stage']}{' (workers)' if row.get('unit') else ''}"
        stage = out.setdefault(name, {"wall_s": 0.0, "cpu_s": 0.0, "video_s": 0.0, "units": 0})
        for key in ("wall_s", "cpu_s", "video_s"):
            stage[key] += float(row.get(key, 0.0))
        stage["units"] += 1
    for stage in out.values():
        if stage["video_s"]:
            stage["cpu_s_per_camera_hour"] = stage["cpu_s"] / stage["video_s"] * 3600
            stage["wall_s_per_camera_hour"] = stage["wall_s"] / stage["video_s"] * 3600
    return {name: {k: round(v, 2) for k, v in stage.items()} for name, stage in out.items()}


def render_times(times: dict[str, dict[str, float]]) -> str:
    """The times as a plain table."""
    lines = [f"{'stage':<24}{'units':>6}{'wall s':>10}{'CPU s':>10}{'CPU s / camera-hour':>22}"]
    for name, row in times.items():
        hourly = f"{row['cpu_s_per_camera_hour']:.0f}" if "cpu_s_per_camera_hour" in row else ""
        lines.append(
            f"{name:<24}{row['units']:>6.0f}{row['wall_s']:>10.1f}{row['cpu_s']:>10.1f}{hourly:>22}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
