"""Rendering a drawn story into a site folder, with the renderer and the cast that the caller names.

The renderer is a program of its own: it needs OpenGL and is no dependency of the project.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.family.stories import FPS, SEGMENT_S, Person, Story

_STORY = '''"""A drawn story."""
import datetime as dt
import types
import {module} as base

_left_out = {without!r}
site = types.SimpleNamespace(**vars(base))
site.cameras = lambda *a: {{k: v for k, v in base.cameras(*a).items() if k not in _left_out}}
site.NEIGHBOURS = {{
    k: {{n: s for n, s in v.items() if n not in _left_out}}
    for k, v in base.NEIGHBOURS.items() if k not in _left_out
}}
NAME = {name!r}
START = dt.datetime.fromisoformat({start!r})
DURATION = {duration}
FPS = {fps}
SEGMENT = {segment}
GAPS = {{}}
TRUNCATED = {{}}
STORY = {people!r}
ITINERARY = {visits!r}
'''


def render(story: Story, folder: Path, simulator: Path, pack: Path, python: str) -> Path:
    """Render a story below `folder`; what is there already is not rendered again. Returns its
    folder.

    `simulator`: the renderer's folder; `pack`: its baked cast; `python`: an interpreter that has
    what the renderer needs. Raises subprocess.CalledProcessError.
    """
    out = folder / story.name
    if (out / "truth" / "boxes.csv").is_file():
        return out
    shutil.rmtree(out, ignore_errors=True)
    work = folder / f"{story.name}.work"
    work.mkdir(parents=True, exist_ok=True)
    write_pack(story, pack, work / "pack")
    module = f"story_{story.name.replace('-', '_')}"
    (work / f"{module}.py").write_text(story_module(story), encoding="utf-8")
    path = os.pathsep.join((str(work), str(simulator)))
    command = [python, str(simulator / "generate.py"), module, str(out), "--pack"]
    command += [str(work / "pack"), "--workers", "1"]
    env = {**os.environ, "PYTHONPATH": path, "LIBGL_ALWAYS_SOFTWARE": "1"}
    subprocess.run(command, env=env, check=True, stdout=sys.stderr)
    (out / "story.json").write_text(json.dumps(told(story), indent=1), encoding="utf-8")
    shutil.rmtree(work)
    return out


def told(story: Story) -> dict[str, object]:
    """What the benchmark says of a story beside its figures."""
    return {
        "name": story.name,
        "kind": story.kind,
        "pointed": story.pointed,
        "people": {p.id: {"role": p.role, "height_m": round(p.height_m, 2)} for p in story.people},
    }


def story_module(story: Story) -> str:
    """The story as the renderer reads it."""
    people = [_person(p, story.duration_s) for p in story.people]
    visits = [(where, a, min(b, story.duration_s), 0, 2, "") for where, a, b in story.visits]
    return _STORY.format(
        module=story.place.module,
        without=story.without,
        name=story.name,
        start=story.place.start,
        duration=story.duration_s,
        fps=FPS,
        segment=SEGMENT_S,
        people=people,
        visits=visits,
    )


def _person(person: Person, duration_s: int) -> dict[str, object]:
    row: dict[str, object] = {"id": person.id, "role": person.role, "cast": person.id}
    way = [(round(t, 2), round(x, 2), round(y, 2)) for t, x, y in person.way]
    way = [w for i, w in enumerate(way) if i == 0 or w[0] > way[i - 1][0]]
    row["way"] = [w for i, w in enumerate(way) if i == 0 or way[i - 1][0] <= duration_s + 2]
    for name in ("face", "talk", "masks", "calm"):
        row[name] = getattr(person, name)
    return row


def write_pack(story: Story, pack: Path, out: Path) -> None:
    """The cast of a story: characters of the pack at drawn heights and in drawn colours."""
    out.mkdir(parents=True, exist_ok=True)
    meta = json.loads((pack / "cast.json").read_text(encoding="utf-8"))
    rows = {row["key"]: row for row in meta["cast"]}
    arrays = {}
    cast = []
    with np.load(pack / "cast.npz") as stored:
        for person in story.people:
            row = json.loads(json.dumps(rows[person.base]))
            scale = person.height_m / row["height"]
            row |= {"key": person.id, "height": person.height_m, "leg": row["leg"] * scale}
            for part in row["parts"]:
                if part["kind"] == "cloth" and not part["name"].startswith("shoes"):
                    part["tint"] = list(person.tint)
            cast.append(row)
            for name in stored.files:
                key, _, rest = name.partition("/")
                if key == person.base:
                    arrays[f"{person.id}/{rest}"] = _scaled(rest, stored[name], scale)
    (out / "cast.json").write_text(json.dumps({**meta, "cast": cast}), encoding="utf-8")
    np.savez(out / "cast.npz", **arrays)  # type: ignore[arg-type]  # its stub: all are allow_pickle
    if not (out / "tex").exists():
        (out / "tex").symlink_to((pack / "tex").resolve())


def _scaled(name: str, values: np.ndarray, scale: float) -> np.ndarray:
    """Joints, head box and vertex positions grow with the person; all else stays."""
    grows = name in ("head", "tail", "headbox", "eye") or name.endswith("/p")
    return (values.astype(np.float64) * scale).astype(values.dtype) if grows else values
