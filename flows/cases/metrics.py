"""What Prometheus is told of this installation: counts and ages, in its text format.

No label names a case, a person, a camera or a place: the labels are words of this program.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import get_args

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from data_contracts.errors import EncounterError
from data_contracts.gap import GAP_KINDS
from data_contracts.time import now_utc
from flows.cases.attempt import attempt
from flows.cases.case_state import CaseState, State, case_state
from flows.cases.clock import last_pass
from flows.cases.health import store_answers
from flows.cases.unfinished import unfinished_ends
from flows.runtime.environment import Environment
from flows.runtime.results import load
from flows.stages.publish import load_manifest
from flows.stages.published import last_run
from infra import passes
from infra.local import disk_room
from infra.local import stack as local

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_MOST_REMEMBERED = 10_000


class Metrics:
    """Collects anew each time it is asked; gaps of a published run, which do not change, are
    remembered as numbers.
    """

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._gaps: dict[tuple[str, str], Counter[str]] = {}

    def text(self) -> bytes:
        """All of it. What cannot be found out is missing, or NaN where it is an age."""
        registry = CollectorRegistry()
        up = store_answers(self._env)
        _gauge(registry, "store_up", "Whether the object store answers.", up)
        if up:
            self._cases(registry)
        self._passes(registry)
        self._machine(registry)
        return generate_latest(registry)

    def _cases(self, registry: CollectorRegistry) -> None:
        env = self._env
        try:
            states = [case_state(env, case_id) for case_id in env.cases.case_ids()]
            unfinished = len(unfinished_ends(env))
        except EncounterError:
            return
        count = Counter(state.state for state in states)
        by_state = {word: count[word] for word in get_args(State)}
        _gauges(registry, "cases", "Cases by state.", "state", by_state)
        behind = minutes_behind(states, now_utc())
        told = "Minutes since the oldest case that is not published was filed; 0: there is none."
        _gauge(registry, "minutes_behind", told, behind)
        told = "Cases whose end is begun and not finished."
        _gauge(registry, "unfinished_ends", told, unfinished)
        gaps = sum((self._gaps_of(s) for s in states if s.published_runs), Counter[str]())
        by_kind = {kind: gaps[kind] for kind in GAP_KINDS}
        told = "Gaps of each case's last published run, by kind."
        _gauges(registry, "gaps", told, "kind", by_kind)

    def _gaps_of(self, state: CaseState) -> Counter[str]:
        return attempt(lambda: self._read_gaps(state.case_id), Counter())

    def _read_gaps(self, case_id: str) -> Counter[str]:
        vault = self._env.cases.open(case_id)
        run = last_run(vault)
        if run is None:
            return Counter()
        key = (case_id, run.run_id)
        if key not in self._gaps:
            if len(self._gaps) >= _MOST_REMEMBERED:
                self._gaps.clear()
            rows = load(vault, load_manifest(vault, run).result.gaps["gaps"])
            self._gaps[key] = Counter(str(kind) for kind in rows["kind"])
        return self._gaps[key]

    def _passes(self, registry: CollectorRegistry) -> None:
        home = self._env.settings.paths
        found = {name: passes.age_s(home, name) for name in passes.PASSES}
        ages = {name: math.nan if age is None else age for name, age in found.items()}
        told = "Seconds since a pass last succeeded here; NaN: never."
        _gauges(registry, "pass_age_seconds", told, "pass", ages)
        waits = bool(last_pass(self._env).waits)
        _gauge(registry, "expired_cases_wait", "Whether expired cases wait for a person.", waits)

    def _machine(self, registry: CollectorRegistry) -> None:
        settings = self._env.settings
        rooms = dict(zip(("home", "store"), disk_room.rooms(settings), strict=False))
        free = {name: room.free_bytes for name, room in rooms.items()}
        low = {name: room.low for name, room in rooms.items()}
        _gauges(registry, "disk_free_bytes", "Free room, without the reserve.", "disk", free)
        _gauges(registry, "disk_low", "Whether it is below stack.low_disk_mb.", "disk", low)
        parts = {part.name: part.running for part in local.status(settings)}
        _gauges(registry, "part_up", "Whether a part of the local stack runs.", "part", parts)


def minutes_behind(states: Iterable[CaseState], now: datetime) -> float:
    """Minutes since the oldest case that waits or is at work was filed."""
    waiting = [s.filed_utc for s in states if s.state in ("filed", "running") and s.filed_utc]
    return max(0.0, (now - min(waiting)).total_seconds() / 60) if waiting else 0.0


def _gauge(registry: CollectorRegistry, name: str, told: str, value: float) -> None:
    Gauge(f"encounter_{name}", told, registry=registry).set(value)


def _gauges(
    registry: CollectorRegistry, name: str, told: str, label: str, values: Mapping[str, float]
) -> None:
    gauge = Gauge(f"encounter_{name}", told, (label,), registry=registry)
    for word, value in values.items():
        gauge.labels(word).set(value)
