"""Every object key of the project is composed or read here, so that writers, purge and tests share
one map.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from data_contracts.errors import BadInput

FOOTAGE = "footage"
SITE = "site"
CASES = "cases"
AUDIT = "audit"
BUCKETS = (FOOTAGE, SITE, CASES, AUDIT)

CAMERAS = "cameras.geojson"
FLOOR_PLAN = "floor-plan.json"
INSTALLATION_KEYS = "installation-keys.json"
AUDIT_ENTRIES = "entries/"
LIST_KEYS = "token-list-keys/"
KEY_LISTS = "key-lists/"

# Endings of recordings. What is in one its bytes say: tasks/footage/container.py.
SEGMENT_SUFFIXES = ("mp4", "mov", "mkv", "ts", "mpg", "avi", "asf", "dav")
_SEGMENT = re.compile(
    r"^(?P<camera>[^/]+)/(?P<day>\d{4}-\d{2}-\d{2})/(?P<hour>\d{2})/"
    rf"(?P<minute>\d{{2}})\.(?P<second>\d{{2}})\.(?P<suffix>{'|'.join(SEGMENT_SUFFIXES)})\Z",
    re.ASCII,
)

# Entries of the audit log in one folder, so that the last one is found without listing all.
ENTRIES_A_FOLDER = 1000
_KEY_LIST = re.compile(r"^key-lists/(?P<number>\d{6})\.json\Z", re.ASCII)
_AUDIT_ENTRY = re.compile(r"^entries/\d{9,15}/(?P<sequence>\d{12,18})\.json\Z", re.ASCII)
_AUDIT_FOLDER = re.compile(r"^\d{9,15}\Z", re.ASCII)


class ListedObject(Protocol):
    """What the object store lists of an object."""

    @property
    def key(self) -> str:
        """Its key in its bucket."""

    @property
    def etag(self) -> str:
        """Digest of the content by the store."""

    @property
    def size(self) -> int:
        """Bytes."""


class SegmentName(NamedTuple):
    """What a segment's key says."""

    camera_id: str
    start_utc: datetime
    suffix: str


def segment(camera_id: str, start_utc: datetime, suffix: str = SEGMENT_SUFFIXES[0]) -> str:
    """`<camera>/<YYYY-MM-DD>/<HH>/<MM.SS>.<suffix>`, UTC."""
    return f"{camera_id}/{_day(start_utc)}/{start_utc.astimezone(UTC):%H/%M.%S}.{suffix}"


def _day(at: datetime) -> str:
    """The day in UTC; strftime's %Y would not have four digits before the year 1000."""
    return at.astimezone(UTC).date().isoformat()


def read_segment(key: str) -> SegmentName | None:
    """What a footage key says, or None where it is not a segment's key."""
    found = _SEGMENT.match(key)
    if not found:
        return None
    try:
        start = datetime.strptime(
            f"{found['day']} {found['hour']}:{found['minute']}:{found['second']}",
            "%Y-%m-%d %H:%M:%S",
        ).replace(tzinfo=UTC)
    except ValueError:
        return None
    return SegmentName(found["camera"], start, found["suffix"])


def hour_prefixes(camera_id: str, start_utc: datetime, end_utc: datetime) -> list[str]:
    """Prefixes `<camera>/<day>/<hour>/` that can hold segments of [start, end)."""
    at = start_utc.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    out = []
    while at < end_utc:
        out.append(f"{camera_id}/{_day(at)}/{at:%H}/")
        at += timedelta(hours=1)
    return out


def case(case_id: str, *parts: str) -> str:
    """A key below a case's folder. Raises BadInput for a part that would lead out of it."""
    names = [name for part in parts for name in part.split("/") if name]
    if any(name in (".", "..") or not name.isprintable() for name in names):
        raise BadInput(
            "a name that is part of an object key: expected no dots alone and no control character"
        )
    return "/".join((case_id, *names))


def request(case_id: str) -> str:
    """The stored request."""
    return case(case_id, "request.json")


def consent(case_id: str) -> str:
    """The consent token."""
    return case(case_id, "consent.jws")


def approval(case_id: str) -> str:
    """The approval token."""
    return case(case_id, "approval.jws")


def wrapped_key(case_id: str) -> str:
    """The case's data key, wrapped by the master key."""
    return case(case_id, "case-key.json")


def claim(case_id: str) -> str:
    """Which run works, or worked last, on the case."""
    return case(case_id, "claim.json")


def template(case_id: str) -> str:
    """The subject's template, one a case: each run builds it anew in the same place."""
    return case(case_id, "template.bin")


def published(case_id: str, run_id: str = "") -> str:
    """That a run is published, and which; without a run the folder of all."""
    return case(case_id, "published", f"{run_id}.json" if run_id else "")


def assignment(case_id: str) -> str:
    """Which accounts of the desk see the case."""
    return case(case_id, "assignment.json")


def draft(draft_id: str) -> str:
    """What was typed of a case that is being filed; its pictures lie as reference pictures."""
    return case(draft_id, "draft.json")


def looks(case_id: str) -> str:
    """The subject's looks of the day, one a case: each run learns them anew in the same place."""
    return case(case_id, "looks.bin")


def pointings(case_id: str) -> str:
    """Where somebody pointed at the subject in a picture."""
    return case(case_id, "pointings.json")


def review(case_id: str, question_id: str = "", name: str = "") -> str:
    """What reviewers were asked and what each answered: `<question>/question.json`, and an answer
    by its reviewer's pseudonym. Without a question the folder of all.
    """
    return case(case_id, "review", question_id, name)


def review_question(case_id: str, question_id: str) -> str:
    """A question to reviewers."""
    return review(case_id, question_id, "question.json")


def review_answer(case_id: str, question_id: str, reviewer: str) -> str:
    """One reviewer's answer: there is one place for it."""
    return review(case_id, question_id, f"answer-{reviewer}.json")


def reference(case_id: str, name: str) -> str:
    """A reference picture of the subject."""
    return case(case_id, "reference", name)


def stage(case_id: str, stage_name: str, digest: str, suffix: str = "parquet") -> str:
    """A stage's result under the digest of what went in: shared by all runs of the case."""
    return f"{stage_folder(case_id, stage_name)}/{digest}.{suffix}"


def stage_folder(case_id: str, stage_name: str) -> str:
    """Where all results of a stage lie."""
    return case(case_id, "stages", stage_name)


def run(case_id: str, run_id: str, *parts: str) -> str:
    """An artefact of a run."""
    return case(case_id, "runs", run_id, *parts)


def picture(case_id: str, run_id: str, name: str = "") -> str:
    """A redacted picture of a run; without a name the prefix of all."""
    return f"{run(case_id, run_id, 'pictures')}/{name}"


def receipt(case_id: str, at_utc: datetime) -> str:
    """A deletion receipt, in the audit bucket, by when the purge was begun."""
    return f"{receipts(case_id)}{at_utc.astimezone(UTC):%Y%m%dT%H%M%S%fZ}.jws"


def receipts(case_id: str | None = None) -> str:
    """The prefix of a case's receipts, or of all."""
    return f"receipts/{case_id}/" if case_id else "receipts/"


def purge_journal(case_id: str) -> str:
    """The plan of a purge that has begun; the last object of a case to go."""
    return case(case_id, "purge.jws")


def audit_entry(sequence: int) -> str:
    """An entry of the audit log, by its number."""
    return f"{audit_folder(sequence // ENTRIES_A_FOLDER)}{sequence:012d}.json"


def audit_folder(number: int) -> str:
    """The prefix of the entries of one folder."""
    return f"{AUDIT_ENTRIES}{number:09d}/"


def read_audit_folder(name: str) -> int | None:
    """The number of the folder of entries that a name is, or None where it is not one."""
    if not _AUDIT_FOLDER.match(name) or audit_folder(int(name)) != f"{AUDIT_ENTRIES}{name}/":
        return None
    return int(name)


def read_audit_entry(key: str) -> int | None:
    """The number of the audit entry that a key names, or None where it is not an entry's key."""
    found = _AUDIT_ENTRY.match(key)
    if not found or audit_entry(int(found["sequence"])) != key:
        return None
    return int(found["sequence"])


def token(digest: str, *parts: str) -> str:
    """What is known of a token, in the audit bucket, by the keyed digest of its id."""
    return "/".join(("tokens", digest, *parts))


def token_list_key(master_key_id: str) -> str:
    """The key of the token ids' digests, wrapped by this master key, in the audit bucket."""
    return f"{LIST_KEYS}{master_key_id}.json"


def key_list(number: int) -> str:
    """A version of the list of trusted keys, in the audit bucket."""
    return f"{KEY_LISTS}{number:06d}.json"


def read_key_list(key: str) -> int | None:
    """The number of the version that a key names, or None where it is not one's key."""
    found = _KEY_LIST.match(key)
    return int(found["number"]) if found else None


def audit_mark(name: str) -> str:
    """A mark that something was written to the audit log already, in the audit bucket."""
    return f"marks/{name}"
