"""What `encounter case file` makes of what a person gave."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from data_contracts.case import CaseRequest
from data_contracts.errors import BadInput
from data_contracts.record import first_fault
from data_contracts.time import now_utc, parse_utc
from flows.cli.console import read_file, read_text, warn
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
    """Reference pictures by name, from files or folders; what else lies there is named, but for
    hidden files. Raises BadInput when a path does not exist or there is no picture.
    """
    found: dict[str, bytes] = {}
    for path in (file for given in paths for file in _files(given)):
        if path.suffix.lower() in PICTURES:
            found[path.name] = read_file(path)
        else:
            warn("left out:", f"{path.name}: no JPEG or PNG picture; save it as one to use it")
    if not found:
        raise BadInput(f"{', '.join(map(str, paths))}: no reference pictures (.jpg, .png) there")
    return found


def _files(given: Path) -> list[Path]:
    """A file, or a folder's files that are not hidden (macOS writes `._name` beside `name`)."""
    if not given.exists():
        raise BadInput(f"{given}: expected reference pictures (.jpg, .png), it does not exist")
    if not given.is_dir():
        return [given]
    files = sorted(f for f in given.iterdir() if f.is_file())
    if not files:
        raise BadInput(f"{given}: expected reference pictures (.jpg, .png), the folder is empty")
    return [f for f in files if not f.name.startswith(".")]
