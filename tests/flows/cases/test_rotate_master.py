"""The master key is rotated: all cases open before, during and after, and the old key goes last."""

from __future__ import annotations

import base64
import contextlib
import itertools
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flaky_proxy import FlakyProxy, Request, flaky_proxy
from reviewed_run import results
from whole_stack import wait

from data_contracts import object_key
from data_contracts.audit import read_link
from data_contracts.errors import KeyMissing
from data_contracts.review import Answer, Given
from flows.cases import rotate_master as rotation
from flows.cases.rotate_master import holdings, rotate_master
from flows.runtime.decisions import decisions_of, store_answer
from flows.runtime.environment import Environment
from infra.audit_log import open_audit_log
from infra.case_store import CaseStore
from infra.key_source import ensure_master_keys, load_master_keys
from infra.settings import Settings, load_settings
from infra.signing import ensure_signing_key
from infra.store import ObjectStore
from infra.token_list import TokenId, TokenList
from tasks.review.questions import questions_of

pytestmark = pytest.mark.stack
_sites = itertools.count(1)


@pytest.fixture(params=["file", "pkcs11"])
def env(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Environment:
    """A site with buckets and keys of its own, in each place that can make keys."""
    own = load_settings(home=tmp_path)
    if request.param == "pkcs11":
        own = request.getfixturevalue("token_settings")()
    return site(own, settings)


def site(own: Settings, settings: Settings) -> Environment:
    """A home of its own on the shared store, under a prefix of its own."""
    s3 = settings.s3.model_copy(update={"bucket_prefix": f"rotate-{next(_sites)}-"})
    own = own.model_copy(update={"s3": s3})
    ensure_signing_key(own)
    store = ObjectStore(s3)
    store.ensure_buckets()
    cases = CaseStore(store, ensure_master_keys(own))
    return Environment(own, store, cases, open_audit_log(store, own))


def cases_of(env: Environment, count: int = 3) -> list[str]:
    """Cases with an object each."""
    names = [f"K-ROTATE-{i:03d}" for i in range(count)]
    for name in names:
        env.cases.create_key(name).put(object_key.claim(name), name.encode())
    return names


def readable(env: Environment, names: list[str]) -> bool:
    """Whether another process, which reads the keys anew, opens every case."""
    fresh = CaseStore(env.store, load_master_keys(env.settings))
    return all(fresh.open(n).get(object_key.claim(n)) == n.encode() for n in names)


def test_every_case_lies_under_the_new_key(env: Environment) -> None:
    """All cases are wrapped anew and open; the old key is gone; the log says who began and what
    was done; a vault and a process from before go on.
    """
    names = cases_of(env)
    (old,) = env.cases.keys.read()
    before = CaseStore(env.store, load_master_keys(env.settings))
    vault = before.open(names[0])
    done = rotate_master(env)
    assert (done.wrapped_anew, done.destroyed, done.kept) == (3, (old.key_id,), {})
    assert [k.key_id for k in env.cases.keys.read()] == [done.key_id]
    assert holdings(env.cases).cases == {done.key_id: 3}
    assert readable(env, names)
    vault.put(object_key.claim(names[0]), b"from a run that went on")
    assert before.open(names[1]).get(object_key.claim(names[1])) == names[1].encode()
    assert before.create_key("K-NEW").case_id == "K-NEW"
    assert holdings(env.cases).cases == {done.key_id: 4}
    entries = [read_link(stored.data or b"").entry for stored in env.audit_log.read()]
    said = [(e.action, e.reason, e.counts.get("wrapped anew")) for e in entries]
    assert said == [
        ("configure", "rotation of the master key begins", None),
        ("configure", "the keys of all cases are wrapped by the newest master key", 3),
    ]


def test_reviewers_answers_stand(env: Environment) -> None:
    """Two agree before the rotation: another process reads the same decision after it."""
    (name,) = cases_of(env, 1)
    question = questions_of(name, results())[0].question
    for who in ("kim", "lee"):
        given = Answer(
            case_id=name,
            question_id=question.question_id,
            reviewer=f"account:{who}",
            answered_utc=datetime.now(UTC),
            given=Given(verdict="confirm"),
        )
        assert store_answer(env.cases.open(name), question, given)
    before = decisions_of(env.cases.open(name))
    rotate_master(env)
    fresh = CaseStore(env.store, load_master_keys(env.settings))
    assert decisions_of(fresh.open(name)) == before
    assert [d.state for d in before] == ["confirmed"]


def test_tokens_stay_used_and_withdrawn(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was used or withdrawn before a rotation is so after it; where the list's key was not
    carried over, the old master key stays.
    """
    (name,) = cases_of(env, 1)
    later = datetime.now(UTC) + timedelta(days=7)
    used = TokenId("signer", "used", later)
    withdrawn = TokenId("signer", "withdrawn", later)
    env.tokens.take(used, env.cases.open(name))
    env.tokens.withdraw(withdrawn)
    monkeypatch.setattr(TokenList, "wrap_anew", lambda _list: False)
    assert rotate_master(env).destroyed == ()
    monkeypatch.undo()
    assert len(rotate_master(env).destroyed) == 1
    fresh = CaseStore(env.store, load_master_keys(env.settings))
    after = Environment(env.settings, env.store, fresh, env.audit_log).tokens
    assert after.standing(used, fresh.open(name)) == "usable"
    assert after.before_filing(used) == "spent"
    assert after.before_filing(withdrawn) == "withdrawn"


@pytest.mark.parametrize("after", [0, 1, 2])
def test_stopped_in_the_middle(
    env: Environment, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after some of the cases: all open, with both keys there; the next run ends it with
    the same new key.
    """
    names = cases_of(env)
    real = CaseStore.wrap_anew
    calls = itertools.count()

    def stops(cases: CaseStore, case_id: str) -> bool:
        if next(calls) == after:
            raise KeyboardInterrupt
        return real(cases, case_id)

    monkeypatch.setattr(CaseStore, "wrap_anew", stops)
    with pytest.raises(KeyboardInterrupt):
        rotate_master(env)
    monkeypatch.undo()
    new, old = env.cases.keys.read()
    assert holdings(env.cases).cases[new.key_id] == after
    assert readable(env, names)
    done = rotate_master(env)
    assert (done.key_id, done.wrapped_anew) == (new.key_id, 3 - after)
    assert done.destroyed == (old.key_id,)
    assert readable(env, names)


def test_killed_in_the_middle(settings: Settings, tmp_path: Path) -> None:
    """The command, killed by SIGKILL at its eleventh case, is run again: every case opens, one key
    is left.
    """
    env = site(load_settings(home=tmp_path), settings)
    names = cases_of(env, 30)
    s3 = env.settings.s3
    variables = {
        "ENCOUNTER_HOME": str(tmp_path),
        "ENCOUNTER_S3__ENDPOINT": s3.endpoint or "",
        "ENCOUNTER_S3__ACCESS_KEY": s3.access_key,
        "ENCOUNTER_S3__SECRET_KEY": s3.secret_key.get_secret_value(),
        "ENCOUNTER_S3__BUCKET_PREFIX": s3.bucket_prefix,
    }
    argv = [sys.executable, "-m", "flows.cli.main", "keys", "rotate-master"]
    surroundings = {**os.environ, **variables}
    with flaky_proxy(s3.endpoint or "") as proxy:
        _hang_at_wrap(proxy, 10)
        slowed = surroundings | {"ENCOUNTER_S3__ENDPOINT": proxy.endpoint}
        command = subprocess.Popen(argv, env=slowed, stdout=subprocess.PIPE)
        wait("it wraps nothing", 60, lambda: len(_wraps(proxy)) > 10)
        command.kill()
        command.wait()
    assert len(env.cases.keys.read()) == 2
    assert sorted(holdings(env.cases).cases.values()) == [10, 20]
    assert readable(env, names)
    again = subprocess.run(argv, env=surroundings, capture_output=True, text=True, check=True)
    assert "is destroyed; a listing showed no case under it" in again.stdout
    assert len(env.cases.keys.read()) == 1
    assert readable(env, names)


def _wraps(proxy: FlakyProxy) -> list[Request]:
    return [r for r in proxy.seen if r.method == "PUT" and r.path.endswith("/case-key.json")]


def _hang_at_wrap(proxy: FlakyProxy, number: int) -> None:
    """The store takes so many keys, and never answers to the next."""
    proxy.fault = lambda asked: "silent" if asked in _wraps(proxy)[number:] else None


def test_a_case_that_was_made_meanwhile_keeps_the_old_key(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listing finds a case under the old key after the last wrap: the old key stays, and the
    next run ends it.
    """
    names = cases_of(env)
    monkeypatch.setattr(rotation, "_wrapped_anew", lambda *_: False)
    done = rotate_master(env)
    assert done.destroyed == ()
    assert list(done.kept.values()) == [3]
    assert readable(env, names)
    monkeypatch.undo()
    assert rotate_master(env).wrapped_anew == 3
    assert readable(env, names)


def test_a_damaged_record_keeps_the_old_key(env: Environment) -> None:
    """What cannot be told may lie under the old key: it is named, and the old key stays until it is
    mended or gone.
    """
    names = cases_of(env)
    env.store.put(object_key.CASES, object_key.wrapped_key(names[0]), b"{}")
    done = rotate_master(env)
    assert (done.destroyed, done.unreadable) == ((), (names[0],))
    env.cases.destroy_key(names[0])
    assert len(rotate_master(env).destroyed) == 1
    assert readable(env, names[1:])


def test_a_case_that_ends_meanwhile_stays_destroyed(settings: Settings, tmp_path: Path) -> None:
    """Wrapping anew and destroying the same key at the same moment, forty times: the key is
    never back.
    """
    env = site(load_settings(home=tmp_path), settings)
    revived = []
    for i in range(40):
        (name,) = cases_of(env, 1)
        env.cases.keys.add()
        wrapping = threading.Thread(target=_wrap, args=(env.cases, name))
        wrapping.start()
        time.sleep(0.0005 * i)
        env.cases.destroy_key(name)
        wrapping.join()
        if env.cases.has_key(name):
            revived.append(i)
    assert revived == []


def _wrap(cases: CaseStore, name: str) -> None:
    with contextlib.suppress(KeyMissing):
        cases.wrap_anew(name)


def test_a_case_made_while_a_rotation_ends_lies_under_the_new_key(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole rotation happens between reading the newest key and writing the case's record: the
    case opens all the same.
    """
    real = env.store.put_if_absent

    def rotates_first(bucket: str, key: str, data: bytes, *rest: object, **more: object) -> bool:
        if key.endswith("case-key.json"):
            rotate_master(env)
        return real(bucket, key, data, *rest, **more)

    monkeypatch.setattr(env.store, "put_if_absent", rotates_first)
    env.cases.create_key("K-LATE").put(object_key.claim("K-LATE"), b"K-LATE")
    monkeypatch.undo()
    assert readable(env, ["K-LATE"])
    (only,) = env.cases.keys.read()
    assert holdings(env.cases).cases == {only.key_id: 1}


def test_with_keys_of_the_environment_a_person_makes_the_new_one(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two keys in the variable: cases move to the first, the second is named to be taken out."""
    old = base64.b64encode(bytes(32)).decode()
    new = base64.b64encode(bytes(range(32))).decode()
    monkeypatch.setenv("ENCOUNTER_MASTER_KEY", old)
    env = site(load_settings(home=tmp_path, keys={"source": "env"}), settings)
    names = cases_of(env)
    monkeypatch.setenv("ENCOUNTER_MASTER_KEY", f"{new} {old}")
    done = rotate_master(env)
    assert (done.wrapped_anew, done.destroyed, list(done.kept.values())) == (3, (), [0])
    monkeypatch.setenv("ENCOUNTER_MASTER_KEY", new)
    assert readable(env, names)
