"""A case's vault: encryption at rest, tables, and that destroying the key ends it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pandas as pd
import pytest

from data_contracts import object_key
from data_contracts.errors import BadInput, ContractViolation, KeyMissing, NotFound
from data_contracts.object_key import CASES
from data_contracts.tables import contracts
from data_contracts.tables.table import TableContract
from infra.case_store import CaseStore, CaseVault
from infra.crypto import new_data_key
from infra.master_keys import HeldKeys, LocalMasterKey
from infra.store import ObjectStore

pytestmark = pytest.mark.stack


def _gaps(detail: str = "no footage between 10:00 and 10:10") -> pd.DataFrame:
    start = datetime(2026, 1, 1, 10, tzinfo=UTC)
    end = datetime(2026, 1, 1, 10, 10, tzinfo=UTC)
    row = {
        "kind": "no_footage",
        "camera_id": "c1",
        "start_utc": start,
        "end_utc": end,
        "detail": detail,
        "advice": "",
    }
    return contracts.GAPS.shape([row])


def test_round_trip_is_encrypted_at_rest(vault: CaseVault, store: ObjectStore) -> None:
    """The store never sees the plain bytes."""
    key = object_key.reference(vault.case_id, "front.jpg")
    vault.put(key, b"the subject's face")
    assert vault.get(key) == b"the subject's face"
    assert b"face" not in store.get(CASES, vault.stored_name(key))
    assert vault.exists(key)
    assert [i.key for i in vault.list()] == [object_key.wrapped_key(vault.case_id), key]


def test_table_round_trip(vault: CaseVault) -> None:
    """A table comes back with its values and dtypes, times in UTC; an unnamed column is not
    stored.
    """
    key = object_key.stage(vault.case_id, "gaps", "d1")
    vault.put_table(key, _gaps().assign(embedding=[[1.0, 2.0]]), contracts.GAPS)
    pd.testing.assert_frame_equal(vault.get_table(key, contracts.GAPS), _gaps())


@pytest.mark.parametrize("contract", contracts.ALL, ids=lambda c: c.name)
def test_empty_tables_round_trip(vault: CaseVault, contract: TableContract) -> None:
    """Every contract's empty table survives with its dtypes: a stage that found nothing is a result
    too.
    """
    key = object_key.stage(vault.case_id, contract.name, "d0")
    vault.put_table(key, contract.empty(), contract)
    pd.testing.assert_frame_equal(vault.get_table(key, contract), contract.empty())


def test_table_of_another_contract(vault: CaseVault) -> None:
    """A table written under another contract or version is refused with both names."""
    key = object_key.stage(vault.case_id, "gaps", "d1")
    vault.put_table(key, _gaps(), contracts.GAPS)
    version = contracts.CONTACTS.version
    expected = f"expected contacts v{version}, got gaps v{contracts.GAPS.version}"
    with pytest.raises(ContractViolation, match=expected):
        vault.get_table(key, contracts.CONTACTS)
    vault.put(key, b"not parquet")
    with pytest.raises(ContractViolation, match="expected Parquet"):
        vault.get_table(key, contracts.GAPS)


def test_missing_object(vault: CaseVault) -> None:
    """A missing object is NotFound, not KeyMissing: the two are handled differently."""
    with pytest.raises(NotFound):
        vault.get(object_key.stage(vault.case_id, "gaps", "none"))
    assert not vault.exists(object_key.stage(vault.case_id, "gaps", "none"))


def test_another_cases_object(vault: CaseVault) -> None:
    """A vault touches no other case, not even one whose name only begins the same."""
    for case_id in ("K-OTHER", vault.case_id + "9"):
        for call in (vault.get, vault.exists, vault.list, lambda key: vault.put(key, b"")):
            with pytest.raises(BadInput, match="is not an object of case"):
                call(object_key.claim(case_id))


def test_destroying_the_key_ends_everything(
    vault: CaseVault, case_store: CaseStore, store: ObjectStore
) -> None:
    """After destruction nothing opens, an open vault stops at its next read or write, and
    neighbours still work.
    """
    neighbour = case_store.create_key(vault.case_id + "0")
    key = object_key.claim(vault.case_id)
    vault.put(key, b"1")
    neighbour.put(object_key.claim(neighbour.case_id), b"2")
    assert case_store.destroy_key(vault.case_id) == 1
    for call in (
        lambda: vault.get(key),
        lambda: vault.put(key, b"2"),
        lambda: case_store.open(vault.case_id),
    ):
        with pytest.raises(KeyMissing, match="has no key"):
            call()
    assert store.list_versions(CASES, object_key.wrapped_key(vault.case_id)) == []
    assert case_store.destroy_key(vault.case_id) == 0
    assert not case_store.has_key(vault.case_id)
    assert neighbour.get(object_key.claim(neighbour.case_id)) == b"2"


def test_a_new_key_opens_nothing_old(vault: CaseVault, case_store: CaseStore) -> None:
    """A case filed again under the same id has another key: old objects stay closed, an old vault
    notices.
    """
    key = object_key.claim(vault.case_id)
    vault.put(key, b"1")
    case_store.destroy_key(vault.case_id)
    again = case_store.create_key(vault.case_id)
    with pytest.raises(KeyMissing, match="earlier key"):
        again.get(key)
    with pytest.raises(KeyMissing, match="another key than when it was opened"):
        vault.put(key, b"2")


def test_create_is_idempotent(vault: CaseVault, case_store: CaseStore) -> None:
    """Making a key twice keeps the first, so a second filing loses nothing."""
    key = object_key.claim(vault.case_id)
    vault.put(key, b"1")
    assert case_store.create_key(vault.case_id).get(key) == b"1"


def test_another_master_key(vault: CaseVault, store: ObjectStore) -> None:
    """Opening under another master key says which key is needed."""
    other = CaseStore(store, HeldKeys(LocalMasterKey(new_data_key())))
    with pytest.raises(KeyMissing, match="was sealed under master key"):
        other.open(vault.case_id)


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b'{"format": 1'])
def test_damaged_key_record(
    vault: CaseVault, case_store: CaseStore, store: ObjectStore, damage: bytes
) -> None:
    """A damaged key record is told apart from a missing one."""
    store.put(CASES, object_key.wrapped_key(vault.case_id), damage)
    with pytest.raises(KeyMissing, match="damaged"):
        case_store.open(vault.case_id)


def test_key_record_of_another_format(
    vault: CaseVault, case_store: CaseStore, store: ObjectStore
) -> None:
    """A newer format is refused by name."""
    record = json.loads(store.get(CASES, object_key.wrapped_key(vault.case_id)))
    store.put(
        CASES, object_key.wrapped_key(vault.case_id), json.dumps(record | {"version": 2}).encode()
    )
    with pytest.raises(KeyMissing, match="update this program"):
        case_store.open(vault.case_id)


def test_bad_case_id(case_store: CaseStore) -> None:
    """A case id that could reach another folder gets no key."""
    for bad in ("", "../K-1", "k-1", "K-1/x"):
        with pytest.raises(BadInput):
            case_store.create_key(bad)


def test_case_ids(vault: CaseVault, case_store: CaseStore) -> None:
    """The cases that exist are found."""
    assert vault.case_id in case_store.case_ids()
