"""For programs that watch the installation: `/health` for anybody, `/metrics` for who has the
token of the home.
"""

from __future__ import annotations

import hmac

from starlette.responses import PlainTextResponse, Response

from data_contracts.errors import EncounterError
from flows.cases.metrics import CONTENT_TYPE
from flows.desk.page import page
from flows.desk.visit import Visit
from infra.stack_record import read_private


@page("GET", "/health", None)
def health(visit: Visit) -> Response:
    """`ok` with status 200, or `not ok` with 503, and nothing else."""
    well = visit.desk.health.is_well()
    return PlainTextResponse("ok\n" if well else "not ok\n", 200 if well else 503)


@page("GET", "/metrics", None)
def metrics(visit: Visit) -> Response:
    """Prometheus' text format; 401 without the token."""
    given = visit.request.headers.get("authorization", "").encode()
    token = _token(visit)
    if not token or not hmac.compare_digest(given, f"Bearer {token}".encode()):
        return PlainTextResponse("send the token of <home>/metrics-token\n", 401)
    return Response(visit.desk.metrics.text(), media_type=CONTENT_TYPE)


def _token(visit: Visit) -> str:
    path = visit.env.settings.paths.metrics_token_file
    try:
        return read_private(path, "token of the metrics").strip()
    except EncounterError:
        return ""
