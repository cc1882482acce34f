"""Where somebody pointed at the subject: stored under the case's key."""

from __future__ import annotations

from data_contracts import object_key
from data_contracts.pointing import Pointing, Pointings
from data_contracts.run import Run
from flows.runtime.open_case import OpenCase, open_case
from infra.case_store import PAPER_BYTES


def read_pointings(case: OpenCase) -> tuple[Pointing, ...]:
    """What the search starts from beside faces; nothing where clothes may not be searched. Raises
    BadInput where it is damaged.
    """
    key = object_key.pointings(case.vault.case_id)
    if "appearance" not in case.authorised.scopes or not case.vault.exists(key):
        return ()
    return Pointings.stored(case.vault.get(key, PAPER_BYTES), key).points


def pointings_of(run: Run) -> tuple[Pointing, ...]:
    """Those of a run's case, as they are now."""
    return read_pointings(open_case(run.case_id))


def write_pointings(case: OpenCase, points: tuple[Pointing, ...]) -> None:
    """Replace what was pointed at before."""
    stored = Pointings(points=points).model_dump_json().encode()
    case.vault.put(object_key.pointings(case.vault.case_id), stored)
