"""Asking again, while work goes on, whether a case may still be worked on.

Every stage and every Dask task authorises when it begins. A segment takes seconds to minutes: so
within it the case is authorised again before a model looks at a picture, at most every few seconds,
and the flow that waits does the same.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

from flows.runtime.environment import Environment
from flows.runtime.open_case import open_case
from models.interface import Boxes, FaceDetector, Faces, Image, PersonDetector
from models.registry import Models

# With the time of one detection this bounds how long work on a withdrawn case goes on.
CHECK_EVERY_S = 2.0


class StillAllowed:
    """Authorises a case anew when called, at most every CHECK_EVERY_S seconds.

    Raises NotAuthorised, or KeyMissing when the case's key is destroyed.
    """

    def __init__(self, env: Environment, case_id: str) -> None:
        self._env = env
        self._case_id = case_id
        self._next = time.monotonic() + CHECK_EVERY_S

    def __call__(self) -> None:
        """Check, if it is time to."""
        if time.monotonic() >= self._next:
            open_case(self._case_id, self._env)
            self._next = time.monotonic() + CHECK_EVERY_S


def looking_only_while(allowed: StillAllowed, loaded: Models) -> Models:
    """The same models; their detectors check first that the case may still be worked on."""
    return dataclasses.replace(
        loaded, person=_Person(allowed, loaded.person), face=_Face(allowed, loaded.face)
    )


class _Person:
    def __init__(self, allowed: StillAllowed, inner: PersonDetector) -> None:
        self._allowed = allowed
        self._inner = inner

    def detect(self, frames: Sequence[Image]) -> list[Boxes]:
        """People, while it is allowed to look."""
        self._allowed()
        return self._inner.detect(frames)


class _Face:
    def __init__(self, allowed: StillAllowed, inner: FaceDetector) -> None:
        self._allowed = allowed
        self._inner = inner

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        """Faces, while it is allowed to look."""
        self._allowed()
        return self._inner.detect(images)
