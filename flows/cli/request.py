"""What `encounter case file` makes of what a person gave."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from data_contracts.case import CaseRequest
from data_contracts.errors import BadInput
from data_contracts.record import first_fault
from data_contracts.time import now_utc, parse_utc
from flows.cli.console import read_file, read_text
from tasks.search.itinerary import read_itinerary

PICTURES = (".jpg", ".jpeg", ".png")


def build_request(
    case_id: str,
    subject: str,
    onset: str | None,
    sample: str | None,
    itinerary: Path,
    policy: str,
    references: dict[str, bytes],
) -> CaseRequest:
    """A request from what a person typed. Raises BadInput with the field that is wrong."""
    try:
        return CaseRequest(
            case_id=case_id,
            subject=subject,
            onset_utc=parse_utc(onset, "--onset") if onset else None,
            sample_utc=parse_utc(sample, "--sample") if sample else None,
            itinerary=read_itinerary(read_text(itinerary), itinerary.name),
            policy=policy,
            reference_images=tuple(sorted(references)),
            filed_utc=now_utc(),
        )
    except ValidationError as error:
        raise BadInput(first_fault(error, "case")) from None


def read_references(paths: list[Path]) -> dict[str, bytes]:
    """Reference pictures by name, from files or folders. Raises BadInput when there is none."""
    files = [f for p in paths for f in (sorted(p.iterdir()) if p.is_dir() else [p])]
    found = {f.name: read_file(f) for f in files if f.suffix.lower() in PICTURES}
    if not found:
        raise BadInput("no reference pictures (.jpg, .png) were found")
    return found
