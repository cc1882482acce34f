"""The environment of who ends cases: it needs the store, and none of this home's keys.

Destroying a case's wrapped key takes no key at all; so a home whose master key or signing key is
lost or damaged still ends its cases (without a receipt until it can sign again).
"""

from __future__ import annotations

from data_contracts.errors import EncounterError, KeyMissing
from flows.cases.attempt import attempt
from flows.runtime.environment import Environment, environment
from infra.audit_log import AuditLog
from infra.case_store import CaseStore
from infra.settings import load_settings
from infra.signing import find_signing_key
from infra.store import ObjectStore


class _NoMasterKey:
    """Stands where the master key cannot be read: it opens no case."""

    key_id = "unreadable"

    def wrap(self, data_key: bytes, context: str) -> bytes:
        """Raises KeyMissing."""
        raise KeyMissing("this home's master key cannot be read: cases can only be destroyed")

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """Raises KeyMissing."""
        raise KeyMissing("this home's master key cannot be read: cases can only be destroyed")


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
        cases = CaseStore(store, _NoMasterKey())
        return Environment(settings, store, cases, AuditLog(store, settings, key))
