"""One flow run as a process: Prefect's engine, with the flow taken from this project.

Run as a program (`python -m flows.programs.flow_run`) by the worker; the run's id is in
PREFECT__FLOW_RUN_ID.
"""

from __future__ import annotations

import runpy
import warnings

from prefect import flow_engine

from flows.programs.own_flows import own_flow
from infra.no_dumps import no_dumps

NAME = __name__


def main() -> None:
    """Run the flow to its end."""
    no_dumps()
    # The engine asks this module for the flow.
    flow_engine.load_flow = own_flow  # type: ignore[assignment]
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="runpy")  # it is loaded
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
