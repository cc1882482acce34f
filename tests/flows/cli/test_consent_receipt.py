"""`encounter consent receipt`: the subject's receipt, from the stored consent to the file."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from data_contracts.audit import read_link
from data_contracts.errors import KeyMissing
from flows.cases.destroy import destroy_case
from flows.cases.filing import store_case
from flows.cases.throwaway import papers
from flows.cli.main import app
from flows.runtime.environment import Environment
from flows.runtime.open_case import open_case
from tasks.consent import consent_receipt
from tasks.search.itinerary import read_itinerary

pytestmark = pytest.mark.stack
DEMO = Path(__file__).parents[3] / "demo"
SCHEMA = Path(consent_receipt.__file__).with_name("consent_receipt.schema.json")


def asked(case_id: str, out: Path) -> list[str]:
    """The command as docs/consent.md gives it."""
    who = ["--controller", "Health office", "--address", "1 Street", "--jurisdiction", "KR"]
    return ["consent", "receipt", case_id, *who, "--contact", "+82 2 120", "--out", str(out)]


def test_the_subject_gets_a_receipt_that_says_how_to_withdraw(
    env: Environment, tmp_path: Path
) -> None:
    """The file is JSON-LD that fits ISO/IEC TS 27560, says what this consent says and how to take
    it back, names nobody, is for its reader alone, and stands in the audit log before it is
    written. Of a case that has ended there is none.
    """
    case_id = "K-RECEIPT-001"
    visits = read_itinerary((DEMO / "itinerary.csv").read_text())
    store_case(env, papers(env, case_id, visits, {"a.jpg": b"picture"}, "demo-short", "GDPR 9"))
    consent = open_case(case_id, env).authorised.consent
    out = tmp_path / "receipt.jsonld"
    done = CliRunner().invoke(app, asked(case_id, out))
    assert done.exit_code == 0, done.output
    assert "give it to the subject" in done.stdout
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    text = out.read_text(encoding="utf-8")
    receipt = json.loads(text)
    jsonschema.validate(receipt, json.loads(SCHEMA.read_text(encoding="utf-8")))
    record = receipt["dpv:hasRecord"]
    assert record["dpv:hasIdentifier"] == consent.token_id
    assert record["dpv:hasDataSubject"]["dpv:hasIdentifier"] == consent.subject
    assert "GDPR 9" in record["dpv:hasConsentStatus"]["dpv:isIndicatedBy"]
    withdraw = record["dpv:hasProcess"]["dpv:hasConsentControl"]
    assert withdraw["@type"] == "dpv:WithdrawConsent"
    assert withdraw["dpv:isExercisedAt"] == "+82 2 120"
    assert "withdraw at any time" in withdraw["dct:description"]
    assert case_id in withdraw["dct:description"]
    assert consent.signer not in text
    assert not any(visit.place in text for visit in visits)
    entries = [read_link(s.data).entry for s in env.audit_log.read() if s.data]
    assert entries[-1].case_id == case_id
    assert (entries[-1].action, entries[-1].objects) == ("export", ("consent receipt",))
    destroy_case(case_id, "closed", env)
    assert isinstance(CliRunner().invoke(app, asked(case_id, out)).exception, KeyMissing)
