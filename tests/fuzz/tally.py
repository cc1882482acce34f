"""Runs targets and counts the inputs tried and how they ended."""

from __future__ import annotations

import time
from collections import Counter

from hypothesis import HealthCheck, given, seed, settings

from tests.fuzz.targets import Target
from tests.fuzz.video import Sandbox, files

# name -> how often an input ended so; printed at the end of a test run or a campaign.
TRIED: dict[str, Counter[str]] = {}
LIMIT_S = 10.0  # for one input that is not a video; they take milliseconds


def try_inputs(target: Target, examples: int, start: int) -> None:
    """Try this many inputs of a target, drawn from a number. Raises what a check lets through, with
    the input.
    """
    ended = TRIED.setdefault(target.name, Counter())

    @seed(start)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(target.inputs)
    def run(value: object) -> None:
        begun = time.process_time()
        ended[target.check(value)] += 1
        assert time.process_time() - begun < LIMIT_S, "an input that takes too long"

    run()


def try_videos(sandbox: Sandbox, examples: int, start: int) -> None:
    """The same for mutated video files, each judged in the sandbox."""
    ended = TRIED.setdefault("video files", Counter())

    @seed(start)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(files())
    def run(data: bytes) -> None:
        verdict = sandbox.judge(data)
        ended[verdict.ended if verdict.ended in ("right", "refused") else "failed"] += 1
        assert verdict.ended in ("right", "refused"), verdict.ended

    run()


def summary() -> list[str]:
    """One line a target, and the sum."""
    lines = [f"{name}: {sum(c.values())} inputs ({_words(c)})" for name, c in TRIED.items()]
    return [*lines, f"fuzzing: {sum(sum(c.values()) for c in TRIED.values())} inputs tried"]


def _words(counts: Counter[str]) -> str:
    return ", ".join(f"{n} {how}" for how, n in sorted(counts.items()))
