"""The programs of the local stack that are parts of this project."""

from __future__ import annotations

from flows.programs import prefect_server, worker
from flows.viewer import server as viewer
from infra.local import stack as local

PROGRAMS = local.Programs(
    prefect=prefect_server.command, worker=worker.command, viewer=viewer.command
)
