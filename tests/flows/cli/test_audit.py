"""`encounter audit`: an auditor checks the store, or an export without it, and is told where
something is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from data_contracts.errors import AuditBroken, EncounterError
from flows.cli.main import app
from flows.runtime.acting import this_user
from flows.runtime.audit import audit
from flows.runtime.environment import Environment, environment
from infra.settings import Settings
from infra.signing import ensure_signing_key, publish_public_key

pytestmark = pytest.mark.stack


@pytest.fixture
def env(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    """The shared store's environment, with some entries in its log."""
    monkeypatch.setenv("ENCOUNTER_HOME", str(settings.home))
    environment.cache_clear()
    made = environment()
    publish_public_key(made.store, ensure_signing_key(settings))
    for number in range(3):
        audit(made, "view", case_id=f"K-SHOWN-{number}", objects=("report.html",), checkpoint=True)
    yield made
    environment.cache_clear()


def told(*command: str, fails: type[EncounterError] | None = None) -> str:
    """What a command prints, with the message of the error it must end with."""
    result = CliRunner().invoke(app, ["audit", *command])
    if fails is None:
        assert result.exit_code == 0, result.output
        return result.output
    assert isinstance(result.exception, fails), result.output
    return f"{result.output}{result.exception}"


@pytest.fixture
def exported(env: Environment, tmp_path: Path) -> Path:
    """An exported folder."""
    told("export", "--out", str(tmp_path / "export"))
    return tmp_path / "export"


@pytest.fixture
def public(env: Environment, tmp_path: Path) -> Path:
    """The installation's public key as an auditor holds it."""
    assert env.audit_log.key is not None
    path = tmp_path / "installation.pub.json"
    path.write_text(env.audit_log.key.public.model_dump_json())
    return path


def test_the_store_is_checked_and_the_lock_is_told(env: Environment) -> None:
    """A sound log passes; the command says how far it is signed and whether the store locks
    entries.
    """
    said = told("verify")
    assert "nothing was changed, removed or reordered" in said
    assert "object lock: on" in said
    assert "signed up to entry" in said


def test_an_export_is_checked_offline(
    exported: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the folder and the public key alone: no store, no home."""
    environment.cache_clear()
    monkeypatch.setenv("ENCOUNTER_HOME", str(exported.parent / "nowhere"))
    said = told("verify", "--folder", str(exported), "--checkpoint-key", str(public))
    assert "nothing was changed" in said
    assert all(path.stat().st_mode & 0o77 == 0 for path in exported.iterdir())


def test_where_an_export_was_tampered_with_is_told(
    exported: Path, public: Path, tmp_path: Path
) -> None:
    """A changed line, a removed line, a cut end: exit with the entry's number; another's key:
    checkpoints are forged.
    """
    log = exported / "audit.jsonl"
    whole = log.read_text().splitlines()
    command = ("verify", "--folder", str(exported), "--checkpoint-key", str(public))
    log.write_text(
        "\n".join([whole[0], whole[1].replace('"success"', '"failed"'), *whole[2:]]) + "\n"
    )
    assert "entry 2: changed" in told(*command, fails=AuditBroken)
    log.write_text("\n".join([*whole[:2], *whole[3:]]) + "\n")
    assert "entry 3: removed" in told(*command, fails=AuditBroken)
    log.write_text("\n".join(whole[:4]) + "\n")
    assert "entry 5: truncated" in told(*command, fails=AuditBroken)
    log.write_text("\n".join(whole) + "\n")
    from infra.settings import load_settings

    other = tmp_path / "other.pub.json"
    other.write_text(
        ensure_signing_key(load_settings(home=tmp_path / "other")).public.model_dump_json()
    )
    assert "forged" in told(
        "verify", "--folder", str(exported), "--checkpoint-key", str(other), fails=AuditBroken
    )


def test_fhir_export(env: Environment, tmp_path: Path) -> None:
    """The Bundle has an event for every entry, the export's own too."""
    told("export", "--out", str(tmp_path / "fhir"), "--format", "fhir")
    made = json.loads((tmp_path / "fhir" / "audit-events.fhir.json").read_text())
    actions = [e["resource"]["subtype"][0]["code"] for e in made["entry"]]
    assert len(actions) == len(list(env.audit_log.read()))
    assert actions[-2:] == ["export", "checkpoint"]


def test_show_and_whoami(env: Environment) -> None:
    """The last entries, of one case when asked; the pseudonym is this user's and not the name."""
    lines = told("show", "--json", "--case", "K-SHOWN-1").splitlines()
    assert lines
    assert {json.loads(line)["entry"]["case_id"] for line in lines} == {"K-SHOWN-1"}
    assert "K-SHOWN-2" in told("show", "--last", "10")
    who = told("whoami").strip()
    assert who.startswith("user:")
    assert this_user().name not in who
