"""The report, its pictures and clips, and the files beside it: decrypted when asked, kept nowhere,
only of a finished run and only while consent and approval hold.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import NamedTuple

from starlette.responses import Response

from data_contracts import object_key
from data_contracts.errors import NotFound
from flows.desk.page import page
from flows.desk.visit import Visit
from flows.desk.wall import POLICY
from flows.runtime.audit import audit
from flows.runtime.environment import Environment
from flows.runtime.open_case import open_case
from flows.stages.publish import load_manifest
from flows.stages.published import choose_run
from infra.store import LARGEST_BYTES
from tasks.artefacts.exports import PICTURES, REPORT, media_type

_RANGE = re.compile(r"^bytes=(\d{0,15})-(\d{0,15})\Z", re.ASCII)
_STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)


class Span(NamedTuple):
    """Some of a file: from `start` to before `end`, in bytes."""

    start: int
    end: int


@page("GET", "/cases/{case_id}/runs/{run_id}/{name:path}", "read report")
def send_artefact(visit: Visit) -> Response:
    """An artefact of a published run: shown where a browser can, else saved."""
    path = visit.request.path_params
    data, kind = read_artefact(visit.env, visit.case_id, path["run_id"], path["name"])
    headers = {"accept-ranges": "bytes", "content-security-policy": _policy(path["name"], data)}
    if path["name"] != REPORT and not path["name"].startswith(PICTURES):
        headers["content-disposition"] = f'attachment; filename="{visit.case_id}-{path["name"]}"'
    asked = visit.request.headers.get("range")
    span = span_of(asked, len(data)) if asked else None
    if asked and span is None:
        headers["content-range"] = f"bytes */{len(data)}"
        return Response(status_code=416, headers=headers)
    if span is None:
        return Response(data, 200, headers, kind)
    headers["content-range"] = f"bytes {span.start}-{span.end - 1}/{len(data)}"
    return Response(data[span.start : span.end], 206, headers, kind)


def read_artefact(env: Environment, case_id: str, run_id: str, name: str) -> tuple[bytes, str]:
    """An artefact's bytes and media type, after the audit log has the view.

    Raises NotFound for anything that is not an artefact of the case's published run, NotAuthorised
    where consent ended.
    """
    case = open_case(case_id, env)
    run = choose_run(case.vault, run_id).run
    if name not in {artefact.name for artefact in load_manifest(case.vault, run).artefacts}:
        raise NotFound(f"run {run_id} has no artefact of that name")
    kind = media_type(name)
    audit(env, "view", case=case.authorised, run_id=run_id, objects=(name,))
    return case.vault.get(object_key.run(case_id, run_id, name), LARGEST_BYTES), kind


def span_of(asked: str, size: int) -> Span | None:
    """The one span that a Range header asks for (RFC 9110, 14.1.2), cut at the file's end; None
    where it asks for none, or for several.
    """
    found = _RANGE.match(asked)
    if not found or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        start = max(0, size - int(last))
        return Span(start, size) if start < size else None
    end = min(size, int(last) + 1) if last else size
    return Span(int(first), end) if int(first) < end else None


def _policy(name: str, data: bytes) -> str:
    """What the browser may load: the report's one style is known by its digest."""
    style = _STYLE.search(data) if name == REPORT else None
    if style is None:
        return POLICY
    digest = base64.b64encode(hashlib.sha256(style.group(1)).digest()).decode()
    return (
        f"default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
