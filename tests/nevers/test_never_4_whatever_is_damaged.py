"""Never 4, whatever is damaged: withdrawal, closing, purge and expiry end with the case's key
destroyed, and what could not be done at once is done when the damage is mended.
"""

from __future__ import annotations

import itertools
import json
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from closing import filled_case, finished_run, nothing_of
from hypothesis import HealthCheck, given
from hypothesis import settings as drawn
from hypothesis import strategies as st
from typer.testing import CliRunner

from data_contracts import object_key
from data_contracts.errors import EncounterError, StackError, StoreError
from data_contracts.time import now_utc
from flows.cases import deletion_steps, expiry, forget_runs
from flows.cases.destroy import Unfinished, destroy_case
from flows.cases.ending_environment import ending_environment
from flows.cases.expiry import PassIncomplete, Word, conclude
from flows.cases.receipts import earlier_receipt
from flows.cases.withdraw import withdraw_case
from flows.cli.main import app
from flows.runtime.environment import Environment, environment
from infra import case_store
from infra.audit_log import AuditLog
from infra.key_source import ensure_master_keys
from infra.local.traces import remember_fetched
from infra.settings import Settings, load_settings
from infra.signing import ensure_signing_key
from infra.stack_record import StackRecord, write_record
from infra.store import ObjectStore

pytestmark = pytest.mark.stack

# What the audit log cannot take as a reason.
LONG_REASON = "moved\tto another\nplace \u202e " + "x" * 300
OBJECTS = (
    "case-key.json",
    "request.json",
    "consent.jws",
    "approval.jws",
    "reference/a.jpg",
    "claim.json",
    "withdrawn.json",
    "purge.jws",
    "purge.json",
    "runs/20261116T090000Z-ab12cd/manifest.json",
)
FILES = (
    "keys/master.key",
    "keys/installation.jwk",
    "audit-checkpoints",
    "fetched/CASE.json",
    "logs/worker.log",
    "prefect/prefect.db",
    "dask",
    "store/tidy-due",
    "stack.json",
)
DAMAGES = ("missing", "empty", "garbage", "a folder")
MORE_DAMAGES = (*DAMAGES, "cut short", "deep")
WAYS: dict[str, Callable[[Environment, str], object]] = {
    "withdraw": withdraw_case,
    "close": lambda env, case_id: destroy_case(case_id, "closed", env),
    "purge": lambda env, case_id: destroy_case(case_id, LONG_REASON, env),
    "expiry": lambda env, case_id: expire(env, now_utc() + timedelta(days=100)),
}


def expire(env: Environment, now: datetime) -> None:
    """A pass of purge-expired at some time."""
    planned = expiry.plan_pass(env, now, Word(despite_clock=True))
    conclude(0, (planned, expiry.end_doomed(env, planned)))


@pytest.fixture(scope="module")
def own_settings(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home and buckets of this module's own, in the shared store."""
    s3 = settings.s3.model_copy(update={"bucket_prefix": f"d{secrets.token_hex(4)}-"})
    home = tmp_path_factory.mktemp("damaged") / "home"
    own = load_settings(home=home, s3=s3.model_dump())
    ObjectStore(own.s3).ensure_buckets()
    return own


@pytest.fixture
def here(own_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The settings, which this process finds in its environment; an orchestrator that is down."""
    s3 = own_settings.s3
    for name, value in {
        "HOME": str(own_settings.home),
        "S3__ENDPOINT": s3.endpoint,
        "S3__ACCESS_KEY": s3.access_key,
        "S3__SECRET_KEY": s3.secret_key.get_secret_value(),
        "S3__BUCKET_PREFIX": s3.bucket_prefix,
    }.items():
        monkeypatch.setenv(f"ENCOUNTER_{name}", value or "")

    def down(*_: object) -> list:
        raise StackError("the orchestrator is down")

    monkeypatch.setattr(deletion_steps, "_DELETED_AFTER_S", 0.0)
    monkeypatch.setattr(forget_runs, "known", lambda _settings: True)
    monkeypatch.setattr(forget_runs, "case_runs", down)
    whole_home(own_settings)
    yield own_settings
    shutil.rmtree(own_settings.home)
    environment.cache_clear()


def whole_home(settings: Settings) -> None:
    """A home in which everything is well, with an orchestrator's database of its own: made once,
    then put back as it was.
    """
    kept = settings.home.with_name("whole")
    shutil.rmtree(settings.home, ignore_errors=True)
    if not kept.exists():
        for folder in ("logs", "prefect", "dask", "store", "fetched"):
            (settings.home / folder).mkdir(parents=True)
        ensure_master_keys(settings)
        ensure_signing_key(settings)
        write_record(settings.paths, StackRecord())
        (settings.home / "logs" / "worker.log").write_text("began\n")
        (settings.home / "store" / "tidy-due").touch()
        with closing(sqlite3.connect(settings.home / "prefect" / "prefect.db")) as db:
            db.execute("CREATE TABLE flow_run (id TEXT, parameters TEXT, tags TEXT)")
        shutil.move(settings.home, kept)
    shutil.copytree(kept, settings.home)
    environment.cache_clear()


def a_case(settings: Settings) -> str:
    """A filed, traced case with a copy that was fetched, and a mention in a log."""
    env = environment()
    vault = filled_case(env, objects=1)
    finished_run(vault, now_utc(), ("contacts.csv",))
    remember_fetched(settings.paths, vault.case_id, [settings.home / "out" / "report.html"])
    with (settings.home / "logs" / "worker.log").open("a") as log:
        log.write(f"case {vault.case_id} began\n")
    return vault.case_id


def damage_object(env: Environment, case_id: str, name: str, how: str) -> None:
    """Damage an object of the case, or put one where none was."""
    key = f"{case_id}/{name}"
    try:
        data = env.store.get(object_key.CASES, key)
    except StoreError:
        data = b'{"state": "running"}'
    env.store.remove_all_versions(object_key.CASES, key)
    if how == "a folder":
        env.store.put(object_key.CASES, f"{key}/inside", data)
    elif how != "missing":
        env.store.put(object_key.CASES, key, damaged(data, how))


def damage_file(home: Path, case_id: str, name: str, how: str) -> None:
    """Damage a file or folder of the home."""
    path = home / name.replace("CASE", case_id)
    data = path.read_bytes() if path.is_file() else b"data"
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    if how == "a folder":
        (path / "inside").mkdir(parents=True)
    elif how != "missing":
        path.write_bytes(damaged(data, how))
        path.chmod(0o600)


def damaged(data: bytes, how: str) -> bytes:
    """What is left of it."""
    return {
        "empty": b"",
        "cut short": data[: max(1, len(data) // 2)],
        "garbage": bytes(range(256)) * 8,
        "deep": b"[" * 60_000,
    }[how]


def key_is_gone(env: Environment, case_id: str) -> bool:
    """Whether no version of the key is left."""
    return not env.store.list_versions(object_key.CASES, object_key.wrapped_key(case_id))


def ends(settings: Settings, case_id: str, way: str, file: tuple[str, str] | None = None) -> None:
    """End the case; the key is gone however that ends. Then all is mended, and the next pass ends
    it whole, with a receipt.
    """
    if file and file[0] != "stack.json":
        damage_file(settings.home, case_id, *file)
    environment.cache_clear()
    env = ending_environment()
    if file and file[0] == "stack.json":  # read at the start, to know where the store is, and later
        damage_file(settings.home, case_id, *file)
    with suppress(Unfinished, PassIncomplete):
        WAYS[way](env, case_id)
    assert key_is_gone(env, case_id)
    if file:
        whole_home(settings)
    expire(ending_environment(), now_utc())
    assert nothing_of(env.store, case_id)
    assert earlier_receipt(environment(), case_id).case_id == case_id


@pytest.mark.parametrize("name", OBJECTS)
def test_whatever_object_of_the_case_is_damaged(here: Settings, name: str) -> None:
    """Each object of the case gone, empty, garbage or a folder, each by another way to an end."""
    ways = itertools.islice(itertools.cycle(WAYS), OBJECTS.index(name), None)
    for how in DAMAGES:
        case_id = a_case(here)
        damage_object(environment(), case_id, name, how)
        ends(here, case_id, next(ways))


@pytest.mark.parametrize("name", FILES)
def test_whatever_file_of_the_home_is_damaged(here: Settings, name: str) -> None:
    """Each file of the home gone, empty, garbage or a folder, each by another way to an end: its
    master key and its signing key among them.
    """
    ways = itertools.islice(itertools.cycle(WAYS), FILES.index(name), None)
    for how in DAMAGES:
        case_id = a_case(here)
        ends(here, case_id, next(ways), (name, how))


@pytest.mark.parametrize("name", OBJECTS[:4] + OBJECTS[5:])
def test_a_huge_object_is_not_read(
    here: Settings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """An object that would fill the memory of whoever reads it does not keep the case: no more of
    it is read than a paper may have.
    """
    most = 100_000
    for module in (case_store, expiry):
        monkeypatch.setattr(module, "PAPER_BYTES", most)
    case_id = a_case(here)
    env = environment()
    env.store.put(object_key.CASES, f"{case_id}/{name}", b"x" * 50 * most)
    read: list[int] = []
    get = ObjectStore.get

    def spied(self: ObjectStore, *args, **options) -> bytes:
        data = get(self, *args, **options)
        read.append(len(data))
        return data

    monkeypatch.setattr(ObjectStore, "get", spied)
    ends(here, case_id, "expiry")
    assert max(read) <= most


@drawn(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(st.tuples(st.sampled_from(OBJECTS), st.sampled_from(MORE_DAMAGES)), max_size=6),
    st.tuples(st.sampled_from(FILES[:-1]), st.sampled_from(MORE_DAMAGES)),
    st.sampled_from(sorted(WAYS)),
)
def test_whatever_is_damaged_together(
    here: Settings, objects: list[tuple[str, str]], file: tuple[str, str], way: str
) -> None:
    """Several damages at once."""
    case_id = a_case(here)
    for name, how in objects:
        damage_object(environment(), case_id, name, how)
    ends(here, case_id, way, file)


def test_an_audit_log_that_cannot_be_written_is_made_up_for(
    here: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key goes without its entries; there is no receipt until they are written, and then both
    entries are there.
    """
    case_id = a_case(here)
    env = ending_environment()

    def fails(*_: object, **__: object) -> None:
        raise StoreError("the audit bucket is gone")

    with monkeypatch.context() as patched:
        patched.setattr(AuditLog, "append", fails)
        with pytest.raises(Unfinished, match="receipt: the audit bucket is gone"):
            withdraw_case(env, case_id)
    assert key_is_gone(env, case_id)
    expire(env, now_utc())
    entries = [json.loads(stored.data or b"")["entry"] for stored in env.audit_log.read()]
    done = [e["action"] for e in entries if e["case_id"] == case_id]
    assert done == ["delete-started", "delete"]
    assert earlier_receipt(env, case_id).reason == "consent was withdrawn"


@pytest.mark.parametrize("reason", ["x" * 241, "a\nb", "\x00\x1b[31m", "", "\ud800", "  "])
def test_no_reason_keeps_a_case(here: Settings, reason: str) -> None:
    """A reason is cleaned and cut, never refused."""
    case_id = a_case(here)
    receipt = destroy_case(case_id, reason, environment())
    assert 1 <= len(receipt.reason) <= 240
    assert receipt.reason.isprintable()


def test_one_case_that_fails_keeps_no_other(
    here: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All cases of a pass are tried; those that failed are named with their step, and end with a
    later pass.
    """
    first, bad, last = sorted(a_case(here) for _ in range(3))
    env = environment()
    here.paths.fetched(bad).write_text("")
    with pytest.raises(PassIncomplete) as told:
        expire(env, now_utc() + timedelta(days=100))
    assert f"case {bad}" in str(told.value)
    assert "delete fetched" in str(told.value)
    assert first not in str(told.value)
    assert last not in str(told.value)
    assert nothing_of(env.store, first)
    assert nothing_of(env.store, last)
    assert key_is_gone(env, bad)
    with pytest.raises(PassIncomplete, match=bad):
        expire(env, now_utc())
    here.paths.fetched(bad).unlink()
    expire(env, now_utc())
    assert earlier_receipt(env, bad).passes == 3


def test_the_command_withdraws_without_a_master_key(here: Settings) -> None:
    """`consent withdraw` and `case purge` need no key of this home to destroy the case's."""
    for command in (["consent", "withdraw", "--yes"], ["case", "purge", "--yes"]):
        case_id = a_case(here)
        here.master_key_file.unlink()
        here.signing_key_file.write_text("garbage")
        environment.cache_clear()
        done = CliRunner().invoke(app, [*command, case_id], input="y\n")
        assert isinstance(done.exception, EncounterError | SystemExit)
        whole_home(here)
        assert key_is_gone(environment(), case_id)
        expire(environment(), now_utc())
