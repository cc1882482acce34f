"""Whether this installation is well, in one word: for who watches it without an account."""

from __future__ import annotations

import threading
import time

from data_contracts import object_key
from data_contracts.errors import EncounterError
from flows.runtime.environment import Environment
from infra import passes
from infra.local import disk_room
from infra.store import ObjectStore

# Whoever asks without an account must not be able to keep the store busy.
_FRESH_S = 5.0
_ANSWER_S = 3.0


class Health:
    """Asks the store at most every five seconds."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._lock = threading.Lock()
        self._asked_s = float("-inf")
        self._store_answers = False

    def is_well(self) -> bool:
        """The store answers, no disk is full, and the passes that started here go on succeeding."""
        settings = self._env.settings
        try:
            full = disk_room.any_full(settings)
            return self._asked() and not full and not passes.late(settings.paths)
        except (EncounterError, OSError):
            return False

    def _asked(self) -> bool:
        with self._lock:
            if time.monotonic() - self._asked_s > _FRESH_S:
                self._store_answers = store_answers(self._env)
                self._asked_s = time.monotonic()
            return self._store_answers


def store_answers(env: Environment) -> bool:
    """Whether the store lets this installation in, within three seconds."""
    quick = {"connect_timeout_s": _ANSWER_S, "read_timeout_s": _ANSWER_S, "retries": 0}
    try:
        store = ObjectStore(env.store.settings.model_copy(update=quick))
        store.exists(object_key.SITE, object_key.CAMERAS)
    except EncounterError:
        return False
    return True
