"""What a function saw of people dies with its call, also when the call fails.

A Python exception keeps the frames that it came through, and their local variables, for as long as
anyone holds it: an orchestrator keeps failures for its operators, a debugger shows their variables,
and a library may put values in its text.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from data_contracts.errors import EncounterError

P = ParamSpec("P")
R = TypeVar("R")


def forgetful(function: Callable[P, R]) -> Callable[P, R]:
    """The function with its failures made anew: no frames of it, no cause, no foreign text.

    An EncounterError keeps type and message; of another exception only its type and place are told.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except EncounterError as error:
            failure = type(error)(error.message)
        except Exception as error:  # noqa: BLE001 - whatever it was, it holds the frames
            last = traceback.extract_tb(error.__traceback__)[-1]
            failure = EncounterError(
                f"unexpected {type(error).__name__} in {function.__name__}, at "
                f"{Path(last.filename).name}:{last.lineno};"
                " please report it"
            )
        raise failure

    return call
