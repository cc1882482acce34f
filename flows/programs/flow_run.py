"""One flow run as a process: Prefect's engine, with the flow taken from this project.

Run as a program (`python -m flows.programs.flow_run`) by the worker; the run's id is in
PREFECT__FLOW_RUN_ID.
"""

from __future__ import annotations

import os
import runpy
import sys
import warnings

from prefect import flow_engine

from flows.programs.dead_runs import hold_run
from flows.programs.own_flows import own_flow
from infra.no_dumps import no_dumps
from infra.settings import load_settings

NAME = __name__


def main() -> None:
    """Run the flow to its end, and hold the run's file until then: so it is known to live."""
    no_dumps()
    held = hold_run(load_settings().paths, os.environ["PREFECT__FLOW_RUN_ID"])
    if held is None:
        sys.exit("this run was given up before its process began")
    # The engine asks this module for the flow.
    flow_engine.load_flow = own_flow  # type: ignore[assignment]
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="runpy")  # it is loaded
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
