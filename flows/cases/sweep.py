"""What arrives late of a case that was destroyed, such as the last event of a run that was
stopped.
"""

from __future__ import annotations

from datetime import datetime

from data_contracts import object_key
from data_contracts.record import Record
from flows.cases import forget_runs
from flows.cases.attempt import told
from flows.cases.receipts import own_receipt
from flows.runtime.audit import audit_daily
from flows.runtime.environment import Environment
from infra.local import prefect_database, traces


class Swept(Record):
    """How many cases had something; names that are not receipts of this installation, and were left
    alone; and what failed, by case.
    """

    cases: int = 0
    refused: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def sweep(env: Environment, since: datetime) -> Swept:
    """Delete what arrived late of cases destroyed since then. A case that was filed again under its
    old id is left alone, and so is everything that no receipt of this installation names.
    """
    swept = 0
    refused = []
    failed = []
    for item in env.store.list(object_key.AUDIT, object_key.receipts()):
        if item.last_modified < since:
            continue
        try:
            receipt = own_receipt(env, item.key)
            if receipt is None:
                refused.append(item.key)
                _audit_foreign(env, item.key)
            else:
                swept += _forget_late(env, receipt.case_id)
        except Exception as error:  # noqa: BLE001  one case's fault does not keep another's traces
            failed.append(f"{item.key}: {told(error)}")
    return Swept(cases=swept, refused=tuple(refused), failed=tuple(failed))


def _forget_late(env: Environment, case_id: str) -> bool:
    if env.store.list_versions(object_key.CASES, f"{case_id}/"):
        return False
    database = prefect_database.local_database(env.settings)
    late = traces.overwrite_mentions(env.settings.paths, case_id) > 0
    if database is not None and prefect_database.names(database, case_id):
        late = True
        forget_runs.forget_case(env.settings, case_id)
    return late


def _audit_foreign(env: Environment, key: str) -> None:
    said = "not a receipt of this installation; nothing was done on its account"
    audit_daily(env, "refuse", outcome="refused", reason=said, objects=(ascii(key)[:120],))
