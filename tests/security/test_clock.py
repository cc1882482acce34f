"""Who sets the clock, or makes many cases expire at once, ends no case by it; who withdraws does,
whatever the clock says.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from closing import environment_of, filled_case, nothing_of
from typer.testing import CliRunner

from data_contracts import object_key
from data_contracts.audit import read_link
from data_contracts.time import now_utc
from flows.cases import clock, deletion_steps, expiry
from flows.cases.expiry import PassIncomplete, Word
from flows.cases.withdraw import mark_withdrawn, withdraw_case
from flows.cli.main import app
from flows.runtime.audit import audit
from flows.runtime.environment import Environment, environment
from infra.case_store import CaseStore
from infra.key_source import ensure_master_keys
from infra.settings import Settings, load_settings
from infra.store import ObjectStore

pytestmark = pytest.mark.stack
LATER = timedelta(days=40)


@pytest.fixture
def env(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Environment]:
    """A home and buckets of this test's own, which the command line finds too."""
    monkeypatch.setattr(deletion_steps, "_DELETED_AFTER_S", 0.0)
    prefix = f"c{secrets.token_hex(4)}-"
    s3 = settings.s3.model_copy(update={"bucket_prefix": prefix})
    own = load_settings(home=tmp_path / "home", s3=s3.model_dump(), retention={"at_once": 2})
    store = ObjectStore(own.s3)
    store.ensure_buckets()
    for name, value in {
        "HOME": str(own.home),
        "S3__ENDPOINT": s3.endpoint or "",
        "S3__ACCESS_KEY": s3.access_key,
        "S3__SECRET_KEY": s3.secret_key.get_secret_value(),
        "S3__BUCKET_PREFIX": prefix,
        "RETENTION__AT_ONCE": "2",
    }.items():
        monkeypatch.setenv(f"ENCOUNTER_{name}", value)
    environment.cache_clear()
    yield environment_of(own, store, CaseStore(store, ensure_master_keys(own)))
    environment.cache_clear()


def a_pass(env: Environment, now: datetime, word: Word | None = None) -> None:
    """A pass of purge-expired, with its clock at `now`."""
    planned = expiry.plan_pass(env, now, word)
    ended = expiry.end_doomed(env, planned)
    pictures = expiry.end_pictures(env, planned, now)
    expiry.conclude(ended.done, (planned, ended, pictures))


def set_clock(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """The machine's clock, and with it that of its own store, is set."""
    monkeypatch.setattr(ObjectStore, "time", lambda _self: now_utc() + by)


def refusals(env: Environment) -> list[str]:
    """What the audit log says of what was refused."""
    entries = (read_link(s.data or b"").entry for s in env.audit_log.read())
    return [e.reason for e in entries if e.action == "refuse"]


@pytest.mark.parametrize("by", [LATER, -LATER])
def test_a_clock_that_jumps_ends_no_case(
    env: Environment, monkeypatch: pytest.MonkeyPatch, by: timedelta
) -> None:
    """Set forty days on or back, with the store on the same machine: the pass fails and says why,
    again and again, and the log has it once; a person's word ends the cases that have expired.
    """
    case_id = filled_case(env, objects=0).case_id
    a_pass(env, now_utc())
    set_clock(monkeypatch, by)
    audit(env, "view", case_id=case_id)
    for _ in range(2):
        with pytest.raises(PassIncomplete, match="this clock"):
            a_pass(env, now_utc() + by)
    assert env.cases.has_key(case_id)
    assert len(refusals(env)) == 1
    assert "--despite-clock" in clock.last_pass(env).waits
    a_pass(env, now_utc() + by, Word(despite_clock=True))
    assert env.cases.has_key(case_id) is (by < timedelta(0))
    assert not clock.last_pass(env).waits


def test_a_store_with_another_time_is_a_doubt(env: Environment) -> None:
    """The store's own clock, by its answers, is asked: a clock that only this process has ends
    nothing.
    """
    case_id = filled_case(env, objects=0).case_id
    told = env.store.time()
    assert told is not None
    assert abs(told - now_utc()) < timedelta(minutes=1)
    with pytest.raises(PassIncomplete, match="the object store's"):
        a_pass(env, now_utc() + LATER)
    assert env.cases.has_key(case_id)


def test_a_withdrawal_does_not_wait_for_the_clock(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Withdrawn by a person, or marked as withdrawn and left to the pass, or half destroyed: all
    are gone, however wrong the clock is.
    """
    asked, marked, half, waits = (filled_case(env, objects=0).case_id for _ in range(4))
    a_pass(env, now_utc())
    set_clock(monkeypatch, LATER)
    withdraw_case(env, asked)
    mark_withdrawn(env, marked)
    env.cases.destroy_key(half)
    with pytest.raises(PassIncomplete, match="this clock"):
        a_pass(env, now_utc() + LATER)
    assert all(nothing_of(env.store, gone) for gone in (asked, marked, half))
    assert env.cases.has_key(waits)


def test_unusually_many_wait_for_a_word(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """More cases at once than `retention.at_once`: none of them goes until a person says so, on the
    command line; `encounter status` tells it.
    """
    cases = [filled_case(env, objects=0).case_id for _ in range(3)]
    monkeypatch.setattr(clock, "doubt", lambda _env, _now: None)
    monkeypatch.setattr("data_contracts.time.now_utc", lambda: now_utc() + LATER)
    run = CliRunner()
    refused = run.invoke(app, ["case", "expire"])
    assert "3 at once, more than 2" in str(refused.exception)
    assert all(map(env.cases.has_key, cases))
    assert "--despite-number" in run.invoke(app, ["status"]).stdout.replace("\n", "")
    done = run.invoke(app, ["case", "expire", "--despite-number"])
    assert done.exit_code == 0
    assert "3 cases destroyed" in done.stdout
    assert all(nothing_of(env.store, case_id) for case_id in cases)
    assert "not finished" not in run.invoke(app, ["status"]).stdout


def test_planted_cases_keep_no_other_from_its_end(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who writes to the bucket puts more expired cases there than may end at once, with keys that
    are not keys: those wait for a person, and the real one goes.
    """
    real = filled_case(env, objects=0).case_id
    planted = [f"K-PLANTED-{n}" for n in range(4)]
    for case_id in planted:
        record = b'{"created_utc": "2020-01-01T00:00:00+00:00"}'
        env.store.put(object_key.CASES, object_key.wrapped_key(case_id), record)
    monkeypatch.setattr(clock, "doubt", lambda _env, _now: None)
    with pytest.raises(PassIncomplete, match="4 at once, more than 2"):
        a_pass(env, now_utc() + LATER)
    assert nothing_of(env.store, real)
    assert all(map(env.cases.has_key, planted))
    a_pass(env, now_utc() + LATER, Word(despite_number=True))
    assert all(nothing_of(env.store, case_id) for case_id in planted)


def test_what_failed_is_shown(env: Environment) -> None:
    """`status`, `case list` and the pass name the case and the step; so is a case that cannot be
    read.
    """
    failing, unreadable = (filled_case(env, objects=0).case_id for _ in range(2))
    env.settings.paths.fetched(failing).parent.mkdir(exist_ok=True)
    env.settings.paths.fetched(failing).write_text("{")
    run = CliRunner()
    done = run.invoke(app, ["case", "purge", failing, "--yes"])
    assert "delete fetched" in str(done.exception)
    env.cases.open(unreadable).put(object_key.claim(unreadable), b"{")
    # A table's cell is broken where the terminal is narrow; the JSON says it in one piece.
    for command in (["status"], ["case", "list", "--json"]):
        said = " ".join(run.invoke(app, command).stdout.split())
        assert failing in said
        assert "delete fetched" in said
    listed = " ".join(run.invoke(app, ["case", "list"]).stdout.split())
    assert f"{unreadable} cannot be read" in listed
