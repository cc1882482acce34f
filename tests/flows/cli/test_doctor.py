"""`encounter doctor` with each thing broken for real: it finds it, says what to do, and exits 1."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flaky_proxy import FlakyProxy, flaky_proxy
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig
from own_certificate import certificate_until
from typer.testing import CliRunner

from data_contracts import object_key
from data_contracts.time import now_utc
from flows.cli.main import app
from flows.runtime.environment import Environment
from infra.local import disk_room
from infra.passes import note_success
from infra.settings import HOME_VARIABLE
from infra.store import ObjectStore

pytestmark = pytest.mark.stack


@pytest.fixture
def proxy(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FlakyProxy]:
    """A home of its own that uses the shared store through a proxy."""
    home = tmp_path / "home"
    shutil.copytree(env.settings.paths.keys, home / "keys")
    home.chmod(0o700)
    s3 = env.settings.s3
    monkeypatch.setenv(HOME_VARIABLE, str(home))
    monkeypatch.setenv("ENCOUNTER_S3__ACCESS_KEY", s3.access_key)
    monkeypatch.setenv("ENCOUNTER_S3__SECRET_KEY", s3.secret_key.get_secret_value())
    with flaky_proxy(env.store.endpoint) as made:
        monkeypatch.setenv("ENCOUNTER_S3__ENDPOINT", made.endpoint)
        yield made


def _told() -> dict[tuple[str, str], str]:
    """What was found, by check and state; the exit status agrees."""
    done = CliRunner().invoke(app, ["doctor", "--json"])
    found = json.loads(done.stdout)
    assert done.exit_code == int(any(row["state"] == "broken" for row in found))
    return {(row["check"], row["state"]): row["told"] for row in found}


def test_what_is_right_is_ok(proxy: FlakyProxy, env: Environment) -> None:
    """Store, rights, clock, keys, versioning, cameras; and no probe is left where cases lie."""
    found = _told()
    right = ("home", "keys", "store", "clock", "rights", "object lock", "versioning", "site")
    assert not [(check, state) for check, state in found if check in right and state != "ok"]
    assert not env.store.exists(object_key.CASES, ".doctor")
    assert "encounter up" in found["Prefect", "broken"]
    assert "account add" in found["desk", "warning"]


def test_a_store_that_is_not_there(proxy: FlakyProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything about the store is broken, and the rest is looked at all the same."""
    monkeypatch.setenv("ENCOUNTER_S3__ENDPOINT", "127.0.0.1:9")
    found = _told()
    assert "check s3.endpoint" in found["store", "broken"]
    assert ("keys", "ok") in found


def test_a_wrong_secret(proxy: FlakyProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names the settings."""
    monkeypatch.setenv("ENCOUNTER_S3__SECRET_KEY", "wrong")
    assert "s3.secret_key" in _told()["store", "broken"]


def test_missing_buckets(proxy: FlakyProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named, with the command that makes them."""
    monkeypatch.setenv("ENCOUNTER_S3__BUCKET_PREFIX", "nobody-")
    told = _told()["store", "broken"]
    assert "nobody-cases" in told
    assert "encounter up" in told


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_rights_that_are_missing(proxy: FlakyProxy, method: str) -> None:
    """A user who may only read, and one who may not delete."""
    several = "POST" if method == "DELETE" else ""
    proxy.fault = lambda request: "refuse" if request.method in (method, several) else None
    assert "rights" in _told()["rights", "broken"]


def test_clocks_that_differ(proxy: FlakyProxy) -> None:
    """By an hour: says which way, and what to do."""
    proxy.fault = lambda _request: "late"
    told = _told()["clock", "broken"]
    assert "ahead of" in told
    assert "3600" in told or "3601" in told or "3599" in told
    assert "NTP" in told


def test_versions_of_cases(proxy: FlakyProxy, env: Environment) -> None:
    """A warning, since each end of a case must find them all."""
    store, name = env.store, env.store.bucket(object_key.CASES)
    store._client.set_bucket_versioning(name, VersioningConfig(ENABLED))
    try:
        assert "turn versioning off" in _told()["versioning", "warning"]
    finally:
        store._client.set_bucket_versioning(name, VersioningConfig("Suspended"))


def test_a_lock_on_cases(
    env: Environment, proxy: FlakyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: no case could be destroyed."""
    monkeypatch.setenv("ENCOUNTER_S3__BUCKET_PREFIX", "locked-")
    store = ObjectStore(env.settings.s3.model_copy(update={"bucket_prefix": "locked-"}))
    for name in object_key.BUCKETS:
        locked = name == object_key.CASES
        store._client.make_bucket(store.bucket(name), object_lock=locked)
    try:
        found = _told()
        assert "make it anew without one" in found["object lock", "broken"]
        assert "can be deleted" in found["object lock", "warning"]
        assert "keeps no versions" in found["versioning", "broken"]
        assert "site publish" in found["site", "warning"]
    finally:
        for name in object_key.BUCKETS:
            store.remove_all_versions(name, ".doctor")
            store._client.remove_bucket(store.bucket(name))


def test_keys_that_are_not_there(proxy: FlakyProxy, tmp_path: Path) -> None:
    """Says where the key is looked for."""
    (tmp_path / "home" / "keys" / "master.key").unlink()
    assert "master.key" in _told()["keys", "broken"]


def test_models_that_are_not_there(
    proxy: FlakyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named, with the command that gets them."""
    monkeypatch.setenv("ENCOUNTER_MODELS__DIR", str(tmp_path / "empty"))
    assert "encounter models pull" in _told()["models", "broken"]


def test_a_home_that_others_may_write_to(proxy: FlakyProxy, tmp_path: Path) -> None:
    """With the chmod to run."""
    (tmp_path / "home").chmod(0o777)
    assert "chmod 700" in _told()["home", "broken"]


def test_a_disk_that_is_full(proxy: FlakyProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Low is a warning, full is broken."""
    monkeypatch.setenv("ENCOUNTER_STACK__LOW_DISK_MB", "1000000000")
    assert "low" in _told()["disk", "warning"]
    monkeypatch.setattr(disk_room, "FULL_BELOW_BYTES", 10**18)
    assert "free some room" in _told()["disk", "broken"]


def test_an_orchestrator_and_a_cluster_that_are_not_there(
    proxy: FlakyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both by their addresses; a server that would be spoken to in clear is refused."""
    monkeypatch.setenv("ENCOUNTER_PREFECT__API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setenv("ENCOUNTER_DASK__SCHEDULER", "tls://127.0.0.1:9")
    found = _told()
    assert "nothing answers at http://127.0.0.1:9/api" in found["Prefect", "broken"]
    assert "nothing answers at tls://127.0.0.1:9" in found["Dask", "broken"]
    monkeypatch.setenv("ENCOUNTER_PREFECT__API_URL", "http://prefect.example/api")
    assert "https://" in _told()["Prefect", "broken"]


def test_a_pass_that_is_late(
    proxy: FlakyProxy, env: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Named."""
    from infra.home import Home

    note_success(Home(tmp_path / "home"), "reconcile")
    monkeypatch.setattr("infra.passes.LATE_S", -1.0)
    assert "reconcile has not succeeded" in _told()["passes", "broken"]


def test_a_certificate_that_ends(
    proxy: FlakyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Soon is a warning, past is broken, something else is no certificate."""
    file = tmp_path / "desk.pem"
    monkeypatch.setenv("ENCOUNTER_DESK__CERTIFICATE", str(file))
    monkeypatch.setenv("ENCOUNTER_DESK__KEY", str(file))
    file.write_bytes(certificate_until(now_utc() + timedelta(days=3)))
    assert "renew it" in _told()["desk", "warning"] or ("desk", "warning") in _told()
    file.write_bytes(certificate_until(now_utc() - timedelta(days=3)))
    assert "expired on" in _told()["desk", "broken"]
    file.write_text("nothing")
    assert "no certificate" in _told()["desk", "broken"]
