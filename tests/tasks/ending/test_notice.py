"""The subject's notice says what the record says, no more."""

from __future__ import annotations

from datetime import timedelta

from subject_case import NOW, subject_case

from data_contracts.deletion import CaseFacts, Receipt
from tasks.ending.notice import case_notice, receipt_notice

FACTS = CaseFacts(
    reference_pictures=3,
    claims=2,
    scopes=("face",),
    runs=1,
    results={"sightings": 4},
    artefacts=9,
    shared={"view": 2},
)


def test_an_open_case_is_told_what_was_collected_and_when_it_ends() -> None:
    """Numbers, grounds, cameras and period are those of the record; nothing is said to be destroyed
    yet.
    """
    case = subject_case()
    told = case_notice(case, FACTS, NOW + timedelta(days=3))
    for said in (
        "3 reference pictures, 2 stated visits",
        "4 sightings",
        "2 times results were looked at",
        "Nothing yet",
    ):
        assert said in told
    assert case.consent.legal_basis in told
    assert f"{NOW + timedelta(days=3):%Y-%m-%d %H:%M} UTC" in told
    assert f"{case.request.subject}\n" not in told.replace(" ", "\n"), "no pseudonym"


def test_a_closed_case_is_told_what_went_and_what_remains() -> None:
    """From the receipt: destroyed kinds with their numbers, the checks, what remains; a kind with
    none is left out.
    """
    receipt = Receipt(
        key="k",
        case_id="K-1-1",
        reason="closed",
        asked_by="service:purge-expired",
        begun_utc=NOW,
        purged_utc=NOW,
        found={"key_versions": 1, "object_versions": 12},
        destroyed={"object_versions": 5},
        passes=2,
        verified=("the case does not open",),
        remains=("this receipt",),
        facts=CaseFacts(),
    )
    told = receipt_notice(receipt)
    for said in (
        "12 versions of encrypted objects",
        "- the case does not open",
        "- this receipt",
        "no view, copy or",
    ):
        assert said in told
    assert "uploads" not in told
