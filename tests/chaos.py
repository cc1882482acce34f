"""`python -m tests.chaos [--moments 30] [--seed N] [--home FOLDER] [--only WHAT]`: kills a stack of
its own at random moments of a short trace, starts it again, and asks that everything goes on.

A moment is a case that is filed, a purge that is started, and after a while a kill (SIGKILL): of
the whole stack, of one part, of the runs' processes, or `encounter down`. Then `encounter up`, and
nothing else. Asked each time: the case is published unaided, within the limit, and its tables are
those of a trace that nobody disturbed. Asked at the end: `reconcile` and `purge-expired` work.
Exit status 1 where one of it does not hold. On loopback only; about a minute a moment on two idle
cores.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import httpx

from data_contracts.tables.contracts import ALL
from flows.stages.publish import load_manifest, read_table
from flows.stages.published import last_run
from tests.support.whole_stack import WholeStack

FOOTAGE = ("entrance/2026-11-16/00/00.00.mp4", "lobby-a/2026-11-16/00/00.00.mp4")
WHOLE = "whole stack"
DOWN = "down"
RUNS = "runs"
WHAT = (WHOLE, WHOLE, WHOLE, DOWN, RUNS, "store", "prefect", "dask", "worker")
_LIMIT_S = 900.0
_POLL_S = 1.0
_HOUSEKEEPING = ("reconcile", "purge-expired")


class Moment(NamedTuple):
    """One kill and what came of it, in seconds: `up_s` of `encounter up`; `recovered_s` from then
    until a trace of the case was at work or done; `published_s` until its tables were there.
    """

    what: str
    after_s: float
    up_s: float
    recovered_s: float
    published_s: float
    same: bool

    def __str__(self) -> str:
        told = "identical" if self.same else "OTHER TABLES"
        return (
            f"{self.what:12} after {self.after_s:5.1f} s: up {self.up_s:5.1f} s, at work again "
            f"{self.recovered_s:5.1f} s, published {self.published_s:6.1f} s, {told}"
        )


def tables_of(whole: WholeStack, case_id: str) -> str:
    """A digest of the case's published tables without their numbers, which each run draws anew."""
    vault = whole.env.cases.open(case_id)
    run = last_run(vault)
    assert run is not None
    there = {artefact.name for artefact in load_manifest(vault, run).artefacts}
    digest = hashlib.sha256()
    for contract in ALL:
        if f"{contract.name}.parquet" in there:
            table = read_table(vault, run, contract)
            kept = [c for c in table if c == "camera_id" or not c.endswith(("_id", "_ids"))]
            rows = sorted(table[kept].to_csv(index=False, header=False).splitlines())
            digest.update("\n".join([contract.name, *kept, *rows]).encode())
    return digest.hexdigest()


def until(ready: Callable[[], bool], limit_s: float = _LIMIT_S) -> float:
    """Seconds until it was so. Raises TimeoutError."""
    begun = time.monotonic()
    while time.monotonic() - begun < limit_s:
        with suppress(httpx.HTTPError):  # the server is busy
            if ready():
                return time.monotonic() - begun
        time.sleep(_POLL_S)
    raise TimeoutError(f"not so after {limit_s:.0f} s")


def traced(whole: WholeStack, case_id: str) -> bool:
    """Whether a run works on the case, or has."""
    active = [run["name"] for run in whole.runs("trace-case") if run["state_type"] == "RUNNING"]
    return whole.is_published(case_id) or any(name.startswith(case_id) for name in active)


def one_moment(whole: WholeStack, case_id: str, what: str, after_s: float, good: str) -> Moment:
    """File, wait, kill, start again, and see."""
    whole.file_case(case_id)
    for flow in _HOUSEKEEPING:
        whole.start(f"{flow}/{flow}")
    time.sleep(after_s)
    if what == DOWN:
        whole.encounter("down")
    elif what == RUNS:
        whole.cut_runs()
    else:
        whole.cut("" if what == WHOLE else what)
    begun = time.monotonic()
    whole.encounter("up")
    up_s = time.monotonic() - begun
    recovered_s = until(lambda: traced(whole, case_id))
    published_s = recovered_s + until(lambda: whole.is_published(case_id))
    return Moment(what, after_s, up_s, recovered_s, published_s, tables_of(whole, case_id) == good)


def undisturbed(whole: WholeStack) -> tuple[float, str]:
    """How long a trace takes from its filing, and its tables."""
    whole.file_case("K-CHAOS-000", FOOTAGE)
    begun = time.monotonic()
    whole.start("reconcile/reconcile")
    until(lambda: whole.is_published("K-CHAOS-000"))
    return time.monotonic() - begun, tables_of(whole, "K-CHAOS-000")


def housekeeping_lives(whole: WholeStack) -> bool:
    """Whether new passes of both complete."""
    for flow in _HOUSEKEEPING:
        before = {run["id"] for run in whole.runs(flow) if run["state_type"] != "SCHEDULED"}
        whole.start(f"{flow}/{flow}")
        try:
            until(lambda f=flow, b=before: _completed(whole, f, b))  # type: ignore[misc]
        except TimeoutError:
            return False
    return True


def _completed(whole: WholeStack, flow: str, before: set[str]) -> bool:
    new = [run for run in whole.runs(flow) if run["id"] not in before]
    return any(run["state_type"] == "COMPLETED" for run in new)


def campaign(whole: WholeStack, moments: int, seed: int, only: str) -> bool:
    """All moments; whether everything held."""
    draw = random.Random(seed)
    whole.encounter("up")
    trace_s, good = undisturbed(whole)
    print(f"seed {seed}; an undisturbed trace takes {trace_s:.1f} s", flush=True)
    done: list[Moment] = []
    failed = 0
    for number in range(1, moments + 1):
        what = only or draw.choice(WHAT)
        after_s = draw.uniform(0, 1.2 * trace_s)
        try:
            done.append(one_moment(whole, f"K-CHAOS-{number:03d}", what, after_s, good))
            print(f"{number:3} {done[-1]}", flush=True)
        except (TimeoutError, AssertionError) as error:
            failed += 1
            print(f"{number:3} {what} after {after_s:.1f} s: FAILED: {error}", flush=True)
    lives = housekeeping_lives(whole)
    same = sum(moment.same for moment in done)
    print(f"completed unaided {len(done)} of {moments}; identical tables {same} of {moments}")
    if done:
        recovered = [moment.up_s + moment.recovered_s for moment in done]
        middle = statistics.median(recovered)
        print(f"seconds from `up` until at work: median {middle:.1f}, most {max(recovered):.1f}")
    print(f"housekeeping {'lives' if lives else 'IS LOCKED OUT'}")
    return lives and not failed and same == moments


def main() -> int:
    """Run it in a home that goes again, unless one is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=30)
    parser.add_argument("--seed", type=int, default=None, help="drawn where not given")
    parser.add_argument("--home", type=Path, default=None, help="kept, with its logs")
    parser.add_argument("--only", choices=sorted({*WHAT}), default="", help="always this")
    asked = parser.parse_args()
    seed = secrets.randbits(32) if asked.seed is None else asked.seed
    with tempfile.TemporaryDirectory(prefix="encounter-chaos-") as folder:
        whole = WholeStack(asked.home or Path(folder) / "home")
        try:
            return 0 if campaign(whole, asked.moments, seed, asked.only) else 1
        finally:
            whole.encounter("down")


if __name__ == "__main__":
    sys.exit(main())
