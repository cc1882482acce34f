"""The environment of who ends cases: it needs the store, and none of this home's keys.

Destroying a case's wrapped key takes no key at all; so a home whose master key or signing key is
lost or damaged still ends its cases (without a receipt until it can sign again).
"""

from __future__ import annotations

from collections.abc import Sequence

from data_contracts.errors import EncounterError, KeyMissing
from flows.cases.attempt import attempt
from flows.runtime.environment import Environment, environment
from infra.audit_log import AuditLog
from infra.case_store import CaseStore
from infra.master_keys import MasterKey, MasterKeys
from infra.settings import load_settings
from infra.signing import find_signing_key
from infra.store import ObjectStore


class _NoMasterKeys(MasterKeys):
    """Stands where the master keys cannot be read: it opens no case."""

    def read(self) -> Sequence[MasterKey]:
        """Raises KeyMissing."""
        raise KeyMissing("this home's master key cannot be read: cases can only be destroyed")

    def add(self) -> MasterKey:
        """Raises KeyMissing."""
        raise KeyMissing("this home's master key cannot be read: none can be added")

    def destroy(self, key_id: str) -> None:
        """Raises KeyMissing."""
        raise KeyMissing("this home's master key cannot be read: none can be destroyed")


def ending_environment() -> Environment:
    """This process's environment; where its keys cannot be read, one without them. Raises BadInput
    or StoreError where it is not known where the store is.
    """
    try:
        return environment()
    except EncounterError:
        settings = load_settings()
        store = ObjectStore(settings.s3)
        key = attempt(lambda: find_signing_key(settings), None)
        cases = CaseStore(store, _NoMasterKeys())
        return Environment(settings, store, cases, AuditLog(store, settings, key))
