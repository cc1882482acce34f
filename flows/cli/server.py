"""Commands that talk to the Prefect server."""

from __future__ import annotations

from flows.runtime.environment import Environment, environment
from flows.runtime.prefect_api import use_server


def server_environment() -> Environment:
    """The environment, with this process pointed at the Prefect server."""
    env = environment()
    use_server(env.settings)
    return env
