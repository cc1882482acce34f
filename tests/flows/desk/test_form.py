"""Forms with files, byte by byte."""

from __future__ import annotations

import pytest

from flows.desk.form import Form, SentFile, split


def part(name: str, content: bytes, file: str | None = None) -> bytes:
    """One part as a browser writes it."""
    named = f'; filename="{file}"' if file is not None else ""
    head = f'Content-Disposition: form-data; name="{name}"{named}\r\n\r\n'
    return b"--x\r\n" + head.encode() + content + b"\r\n"


def test_fields_and_files() -> None:
    """Values in their order; a file's bytes as they are, edges, line ends and all; a file that
    was not chosen is none.
    """
    content = b"\r\n--y\r\n\x00\xff\r\n\r\n--"
    body = (
        part("place", "로비".encode())
        + part("place", b"")
        + part("picture", content, "얼굴.jpg")
        + part("file", b"", "")
        + b"--x--\r\n"
    )
    assert split(body, b"x") == Form(
        {"place": ["로비", ""]}, {"picture": [SentFile("얼굴.jpg", content)]}
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nothing",
        part("a", b"1"),
        b"before" + part("a", b"1") + b"--x--\r\n",
        b"--x\r\nContent-Type: text/plain\r\n\r\n1\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n--x--\r\n',
        part("a", b"\xff") + b"--x--\r\n",
        part("a", b"1") * 700 + b"--x--\r\n",
    ],
)
def test_what_is_no_form(body: bytes) -> None:
    """Cut off, of no parts, without names, of too many: refused."""
    with pytest.raises(ValueError, match=r"boundary|name|utf-8"):
        split(body, b"x")
