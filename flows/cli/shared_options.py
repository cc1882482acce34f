"""Options that several commands have: declared once, as the fields of a record."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

Command = Callable[..., None]


def taking(record: type) -> Callable[[Command], Command]:
    """Make a command of a function whose first parameter is the record: each field of the record is
    an option of the command, before those of the function's own.
    """

    def declare(function: Command) -> Command:
        shared = inspect.signature(record, eval_str=True).parameters
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]

        @functools.wraps(function)
        def command(**given: Any) -> None:
            fields = {name: given.pop(name) for name in shared}
            function(record(**fields), **given)

        every = [p.replace(kind=p.KEYWORD_ONLY) for p in (*shared.values(), *own)]
        command.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
        return command

    return declare
