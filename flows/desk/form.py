"""What a browser sends in a form: fields, and files where a page takes them (multipart/form-data,
RFC 7578), read with a bound on bytes and time.
"""

from __future__ import annotations

import asyncio
import re
from typing import NamedTuple
from urllib.parse import parse_qs

from starlette.requests import Request

FORM_S = 10.0
# A phone sends a picture of 32 MiB in so long at 2 Mbit/s.
FILES_S = 150.0
# More fields than any form here has; a form with files has the rows of an itinerary.
_MOST_FIELDS = 200
_MOST_PARTS = 600
_FIELDS = "application/x-www-form-urlencoded"
_FILES = "multipart/form-data"
_BOUNDARY = re.compile(r'boundary="?([A-Za-z0-9\'()+_,./:=?-]{1,70})"?\Z', re.ASCII)
_NAME = re.compile(rb'[; ]name="([^"]{1,100})"')
_FILE_NAME = re.compile(rb'; filename="([^"]{0,300})"')


class SentFile(NamedTuple):
    """A file that was sent: the name that it has on the sender's machine, and its bytes."""

    name: str
    data: bytes


class Form(NamedTuple):
    """Fields and files by their names, each in the order in which they were sent."""

    fields: dict[str, list[str]]
    files: dict[str, list[SentFile]]


async def read_form(request: Request, at_most: int, with_files: bool) -> Form | None:
    """What was sent; None where it is no form, more than `at_most` bytes, or comes too slowly."""
    kind, _, rest = request.headers.get("content-type", "").partition(";")
    boundary = _BOUNDARY.search(rest.strip()) if with_files and kind == _FILES else None
    if boundary is None and kind != _FIELDS:
        return None
    body = bytearray()
    try:
        async with asyncio.timeout(FILES_S if with_files else FORM_S):
            async for part in request.stream():
                body += part
                if len(body) > at_most:
                    return None
        if boundary is not None:
            return split(bytes(body), boundary[1].encode())
        return Form(parse_qs(body.decode("ascii"), True, max_num_fields=_MOST_FIELDS), {})
    except (TimeoutError, ValueError):
        return None


def split(body: bytes, boundary: bytes) -> Form:
    """The parts of a form with files. Raises ValueError where it is not one. A file that was not
    chosen is left out.
    """
    edge = b"\r\n--" + boundary
    pieces = (b"\r\n" + body).split(edge)
    if len(pieces) < 2 or len(pieces) > _MOST_PARTS or pieces[0] or pieces[-1].strip() != b"--":
        raise ValueError("no form of this boundary")
    form = Form({}, {})
    for piece in pieces[1:-1]:
        head, there, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        disposition = next(
            (h for h in head.split(b"\r\n") if h.lower().startswith(b"content-disposition:")), b""
        )
        name = _NAME.search(disposition)
        if not there or name is None:
            raise ValueError("a part without a name")
        file_name = _FILE_NAME.search(disposition)
        key = name[1].decode()
        if file_name is None:
            form.fields.setdefault(key, []).append(content.decode())
        elif file_name[1]:
            sent = SentFile(file_name[1].decode(errors="replace"), content)
            form.files.setdefault(key, []).append(sent)
    return form
