"""`python -m tests.fuzz.campaign [--seconds 600] [--seed N] [--only NAME]`: fuzzes for a while,
then prints what was tried.

Exit status 1 when an input crashed, hung or was lost; the input is printed, shrunk.
"""

from __future__ import annotations

import argparse
import itertools
import secrets
import sys
import time
import traceback

from tests.fuzz.tally import summary, try_inputs, try_videos
from tests.fuzz.targets import TARGETS
from tests.fuzz.video import Sandbox

_AT_ONCE = 100


def main() -> int:
    """Turn by turn a hundred inputs of each target, until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument(
        "--seed", type=int, default=None, help="where to begin; drawn where not given"
    )
    parser.add_argument("--only", default="", help="a target's name, or: video files")
    asked = parser.parse_args()
    start = secrets.randbits(32) if asked.seed is None else asked.seed
    print(f"seed {start}")
    until = time.monotonic() + asked.seconds
    failed = set[str]()
    sandbox = Sandbox()
    try:
        for turn in itertools.count(start):
            for name, run in [
                *((t.name, lambda t=t, turn=turn: try_inputs(t, _AT_ONCE, turn)) for t in TARGETS),
                ("video files", lambda turn=turn: try_videos(sandbox, _AT_ONCE, turn)),
            ]:
                if time.monotonic() > until:
                    print("\n".join(summary()))
                    return min(len(failed), 1)
                if name in failed or asked.only not in ("", name):
                    continue
                try:
                    run()
                except BaseException as error:
                    if isinstance(error, KeyboardInterrupt | SystemExit):
                        raise
                    failed.add(name)
                    print(f"{name}, seed {turn}:", *traceback.format_exception(error))
    finally:
        sandbox.close()
    return 1


if __name__ == "__main__":
    sys.exit(main())
