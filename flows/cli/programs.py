"""The programs of the local stack that are parts of this project."""

from __future__ import annotations

from flows.desk import server as desk
from flows.programs import prefect_server, worker
from infra.local import stack as local

PROGRAMS = local.Programs(prefect=prefect_server.command, worker=worker.command, desk=desk.command)
