"""Where pages register: `@page("GET", "/cases", "list cases")` on a function that takes a `Visit`
and returns a response.

A page names its act of `flows.desk.acts`, or None for the few that are open to whoever is not
logged in. The door (`flows/desk/door.py`) has checked login, act and case before the function runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from starlette.responses import Response

from flows.desk.acts import Act
from flows.desk.visit import Visit

Method = Literal["GET", "POST"]


@dataclass(frozen=True)
class Page:
    """An address of the desk. `form_bytes`: the most that is read of what is sent to it; `files`:
    it takes files.
    """

    method: Method
    path: str
    act: Act | None
    function: Callable[[Visit], Response]
    form_bytes: int
    files: bool = False


PAGES: list[Page] = []
FORM_BYTES = 64 * 1024


def page(
    method: Method, path: str, act: Act | None, form_bytes: int = FORM_BYTES, files: bool = False
) -> Callable[[Callable[[Visit], Response]], Callable[[Visit], Response]]:
    """Register the decorated function as a page: see `Page`."""

    def declare(function: Callable[[Visit], Response]) -> Callable[[Visit], Response]:
        PAGES.append(Page(method, path, act, function, form_bytes, files))
        return function

    return declare
