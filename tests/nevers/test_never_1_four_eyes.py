"""Never 1, two people: who is trusted is decided by a root outside the store and by two
administrators. Each test is one person, or somebody who may write to the bucket, trying to be two.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from data_contracts import object_key
from data_contracts.audit import read_link
from data_contracts.authorisation import TrustedKey
from data_contracts.errors import BadInput, KeyMissing, NotAuthorised
from data_contracts.key_list import SignedKeyList
from data_contracts.time import now_utc
from flows.cases.destroy import destroy_case
from flows.cases.filing import store_case
from flows.cases.key_changes import (
    PrivateKey,
    ensure_demo_root,
    listed_keys,
    new_root,
    proposal,
    publish_list,
    with_added,
)
from flows.cases.throwaway import papers
from flows.cli.main import app
from flows.runtime.audit import audit
from flows.runtime.environment import Environment, environment, trusted_keys
from infra.audit_log import open_audit_log
from infra.case_store import CaseStore
from infra.key_source import load_master_keys
from infra.settings import HOME_VARIABLE, Settings, load_settings
from infra.store import ObjectStore
from tasks.consent.grant_token import generate_key
from tasks.consent.key_list import add_signature
from tasks.search.itinerary import read_itinerary

pytestmark = pytest.mark.stack
DEMO = Path(__file__).parents[2] / "demo"


@pytest.fixture
def env(settings: Settings, tmp_path: Path) -> Environment:
    """Buckets and a home of this test's own, with nothing pinned."""
    s3 = settings.s3.model_copy(update={"bucket_prefix": f"e{secrets.token_hex(4)}-"})
    keys = {"file": str(settings.master_key_file)}
    own = load_settings(home=tmp_path / "home", s3=s3.model_dump(), keys=keys)
    store = ObjectStore(own.s3)
    store.ensure_buckets()
    return Environment(
        own, store, CaseStore(store, load_master_keys(own)), open_audit_log(store, own)
    )


def person(name: str, *roles: str) -> tuple[PrivateKey, TrustedKey]:
    """A key pair."""
    return generate_key(name, roles)


@pytest.fixture
def root(env: Environment) -> PrivateKey:
    """The root's private key, as the administrator has it offline."""
    return new_root(env.settings)


@pytest.fixture
def administrators(env: Environment, root: PrivateKey) -> list[PrivateKey]:
    """Two administrators, put in by the root."""
    pairs = [person(name, "administrator") for name in ("Admin A", "Admin B")]
    publish_list(env, proposal(env, [public for _, public in pairs], [root]))
    return [private for private, _ in pairs]


def change(env: Environment, *new: TrustedKey, signers: list[PrivateKey]) -> None:
    """Publish the present list with these keys behind it."""
    publish_list(env, proposal(env, with_added(listed_keys(env), new), signers))


def test_one_user_with_two_keys_of_their_own_publishes_nothing(
    env: Environment, administrators: list[PrivateKey]
) -> None:
    """Made both, signed with both, or with an administrator and one of them: not trusted."""
    doctor, officer = person("Dr X", "consent"), person("Officer Y", "approval")
    for signers in (
        [],
        [doctor[0]],
        [doctor[0], officer[0]],
        [administrators[0]],
        [administrators[0], administrators[0]],
        [administrators[0], doctor[0]],
    ):
        with pytest.raises(NotAuthorised, match="must be signed by two administrators"):
            change(env, doctor[1], officer[1], signers=signers)
    change(env, doctor[1], officer[1], signers=administrators)
    assert len(trusted_keys(env).keys) == 4


def test_two_administrators_in_one_person_are_one(env: Environment, root: PrivateKey) -> None:
    """Two keys under one name, and then under one name with an invisible letter."""
    pairs = [person("Admin A", "administrator") for _ in range(2)]
    publish_list(env, proposal(env, [public for _, public in pairs], [root]))
    _, doctor = person("Dr X", "consent")
    with pytest.raises(NotAuthorised, match="signed by the root"):
        change(env, doctor, signers=[private for private, _ in pairs])
    for name in ("Admin\u3164A", "Adm\u0456n A", "\uff21dmin A", "admin  a", "Admin\u200bA"):
        with pytest.raises(NotAuthorised, match="looks like another"):
            change(env, person(name, "administrator")[1], signers=[root])
    with pytest.raises(NotAuthorised, match="readable name"):
        change(env, person("\u2060\u3164", "consent")[1], signers=[root])


def test_administrators_make_no_administrator_without_the_root(
    env: Environment, root: PrivateKey, administrators: list[PrivateKey]
) -> None:
    """And the root alone adds nobody where there are two; it may revoke alone."""
    _, third = person("Admin C", "administrator")
    with pytest.raises(NotAuthorised, match="by the root as well"):
        change(env, third, signers=administrators)
    with pytest.raises(NotAuthorised, match="two administrators, 0 did"):
        change(env, third, signers=[root])
    change(env, third, signers=[root, *administrators])
    keys = [
        k.model_copy(update={"revoked_utc": now_utc()}) if k.key_id == third.key_id else k
        for k in listed_keys(env)
    ]
    publish_list(env, proposal(env, keys, [root]))
    assert listed_keys(env)[-1].revoked_utc is not None


def test_revoked_is_revoked(env: Environment, root: PrivateKey) -> None:
    """No later list takes a revocation back, makes it later, changes a key or leaves one out,
    whoever signs.
    """
    _, key = person("Dr X", "consent")
    change(env, key, signers=[root])
    gone = key.model_copy(update={"revoked_utc": now_utc()})
    publish_list(env, proposal(env, [gone], [root]))
    for back in (
        [key],
        [gone.model_copy(update={"revoked_utc": now_utc() + timedelta(days=1)})],
        [gone.model_copy(update={"roles": ("consent", "approval")})],
        [gone.model_copy(update={"person": "Dr Y"})],
        [],
        [gone, key],
    ):
        with pytest.raises(NotAuthorised):
            publish_list(env, proposal(env, back, [root]))
    assert listed_keys(env) == (gone,)


@pytest.mark.parametrize("planted", [b"", b"{", b"x" * 20_000_000, None])
def test_nobody_holds_up_a_revocation(
    env: Environment, root: PrivateKey, planted: bytes | None
) -> None:
    """Whoever may write to the bucket puts something in the next version's place, garbage or an old
    version: the key is revoked all the same.
    """
    _, key = person("Dr X", "consent")
    change(env, key, signers=[root])
    first = env.store.get(object_key.AUDIT, object_key.key_list(1))
    env.store.put(object_key.AUDIT, object_key.key_list(2), first if planted is None else planted)
    time.sleep(1.1)  # the store's times are whole seconds: what was planted is the older version
    gone = key.model_copy(update={"revoked_utc": now_utc()})
    publish_list(env, proposal(env, [gone], [root]))
    assert listed_keys(env) == (gone,)


def test_a_list_that_the_root_did_not_sign_is_none(env: Environment, root: PrivateKey) -> None:
    """Whoever may write to the bucket puts their own list there, as the first, as the next, or over
    the present one: nobody of it is trusted.
    """
    _, doctor = person("Dr X", "consent")
    mallory, own = person("Mallory", "consent", "approval")
    for number in (1, 2):
        key = object_key.key_list(number)
        forged = add_signature(proposal(env, with_added(listed_keys(env), [own]), []), mallory)
        bad = env.store.put(object_key.AUDIT, key, forged.model_dump_json().encode())
        if number == 1:
            with pytest.raises(BadInput, match="no trusted keys"):
                trusted_keys(env)
            env.store.remove_versions(object_key.AUDIT, [bad])
            change(env, doctor, signers=[root])
        assert [k.person for k in trusted_keys(env).keys] == ["Dr X"]
    other = environment_of_another_root(env)
    with pytest.raises(NotAuthorised):
        listed_keys(other)


def environment_of_another_root(env: Environment) -> Environment:
    """The same store seen with another root pinned by the settings."""
    x = person("another root", "administrator")[0]["x"]
    keys = env.settings.keys.model_copy(update={"root_public": x})
    return Environment(
        env.settings.model_copy(update={"keys": keys}), env.store, env.cases, env.audit_log
    )


def test_an_older_list_is_refused(env: Environment, root: PrivateKey, tmp_path: Path) -> None:
    """The store is set back to before a revocation: this home has seen the later version. A delete
    marker, or garbage on top, changes nothing.
    """
    _, key = person("Dr X", "consent")
    change(env, key, signers=[root])
    first = env.store.get(object_key.AUDIT, object_key.key_list(1))
    revoked = key.model_copy(update={"revoked_utc": now_utc()})
    publish_list(env, proposal(env, [revoked], [root]))
    env.store.put(object_key.AUDIT, object_key.key_list(2), b"{}")
    bucket = env.store.bucket(object_key.AUDIT)
    env.store._client.remove_object(bucket, object_key.key_list(2))
    assert listed_keys(env) == (revoked,)
    s3 = env.settings.s3.model_copy(update={"bucket_prefix": f"e{secrets.token_hex(4)}-"})
    back = env.settings.model_copy(update={"s3": s3})
    store = ObjectStore(back.s3)
    store.ensure_buckets()
    store.put(object_key.AUDIT, object_key.key_list(1), first)
    env.settings.paths.key_list_file(env.settings.s3.bucket_prefix).rename(
        back.paths.key_list_file(back.s3.bucket_prefix)
    )
    set_back = Environment(back, store, env.cases, open_audit_log(store, back))
    with pytest.raises(NotAuthorised, match="has seen version 2"):
        trusted_keys(set_back)


def test_nothing_is_trusted_without_a_root(env: Environment) -> None:
    """No root pinned, no key: an error that says what to do. And a second root is not made."""
    with pytest.raises(KeyMissing, match="keys root new"):
        trusted_keys(env)
    new_root(env.settings)
    with pytest.raises(BadInput, match="pinned already"):
        new_root(env.settings)
    with pytest.raises(BadInput, match="pinned already"):
        ensure_demo_root(env.settings)


@pytest.fixture
def told(env: Environment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The command line on this environment; a folder for files."""
    folder = env.settings.home.parent
    monkeypatch.setenv(HOME_VARIABLE, str(env.settings.home))
    monkeypatch.setenv("ENCOUNTER_CONFIG", str(folder / "settings.toml"))
    s3 = env.settings.s3
    (folder / "settings.toml").write_text(
        f'[s3]\nendpoint = "{s3.endpoint}"\naccess_key = "{s3.access_key}"\n'
        f'secret_key = "{s3.secret_key.get_secret_value()}"\nbucket_prefix = "{s3.bucket_prefix}"\n'
        f'[keys]\nfile = "{env.settings.keys.file}"\n'
    )
    environment.cache_clear()
    yield folder
    environment.cache_clear()


def run(*words: object) -> str:
    """A command that goes well, and what it says."""
    done = CliRunner().invoke(app, [str(w) for w in words])
    assert done.exit_code == 0, (done.output, done.exception)
    return " ".join(done.output.split())


def test_the_commands_take_two_administrators(env: Environment, told: Path) -> None:
    """Root, administrators, a proposal that the second signs; `publish` lists what it would drop
    and needs --replace.
    """
    names = {"a": "administrator", "b": "administrator", "doctor": "consent", "new": "consent"}
    run("keys", "root", "new", "--out", told / "root.jwk")
    for name, role in names.items():
        run("keys", "new", f"Person {name}", "--role", role, "--out", told / f"{name}.jwk")
    files = {name: told / f"{name}.pub.json" for name in names}
    run("keys", "add", files["a"], files["b"], "--key", told / "root.jwk")
    waits = run(
        "keys", "add", files["doctor"], "--key", told / "a.jwk", "--proposal-file", told / "p.json"
    )
    assert "not published yet" in waits
    assert len(listed_keys(env)) == 2
    signed = run("keys", "sign", told / "p.json", "--key", told / "b.jwk")
    assert "adds" in signed
    assert "Person doctor: consent" in signed
    both = ("--key", told / "a.jwk", "--key", told / "b.jwk")
    words = ["keys", "publish", files["a"], files["b"], files["new"], *both]
    refused = CliRunner().invoke(app, [str(w) for w in words])
    assert isinstance(refused.exception, BadInput)
    assert "Person doctor" in str(refused.exception)
    assert len(listed_keys(env)) == 3
    run(*words, "--replace")
    assert [k.person for k in listed_keys(env) if k.revoked_utc] == ["Person doctor"]
    assert [k.person for k in listed_keys(env) if not k.revoked_utc][-1] == "Person new"


def test_every_entry_of_a_case_names_who_signed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Filing, viewing, withdrawing, destroying: the key ids of both signers stand in each entry."""
    monkeypatch.setenv(HOME_VARIABLE, str(settings.home))
    environment.cache_clear()
    env = environment()
    env.store.put(object_key.SITE, object_key.CAMERAS, (DEMO / "cameras.geojson").read_bytes())
    visits = read_itinerary((DEMO / "itinerary.csv").read_text())
    made = papers(env, "K-EYES-001", visits, {"a.jpg": b"x"}, "demo-short", "test")
    store_case(env, made)
    audit(env, "view", case_id="K-EYES-001", objects=("contacts",))
    destroy_case("K-EYES-001", "closed", env)
    entries = [read_link(s.data).entry for s in env.audit_log.read() if s.data]
    mine = [e for e in entries if e.case_id == "K-EYES-001"]
    assert {"authorise", "view", "delete"} <= {e.action for e in mine}
    signers = {f"key:{k.key_id}" for k in trusted_keys(env).keys}
    for entry in mine:
        assert len(set(entry.verified_by) & signers) == 2, entry.action
    environment.cache_clear()


def test_a_change_that_was_altered_after_signing_is_refused(
    env: Environment, root: PrivateKey
) -> None:
    """A signature is over the digest of the very version."""
    _, doctor = person("Dr X", "consent")
    signed = proposal(env, [doctor], [root])
    value = json.loads(signed.model_dump_json())
    value["version"]["keys"][0]["roles"] = ["consent", "approval"]
    with pytest.raises(NotAuthorised, match="signed by the root"):
        publish_list(env, SignedKeyList.model_validate(value))
