"""Words of the desk for what the code calls by short names: roles, states, stages, gaps. Looked up
in the catalogue where they are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from data_contracts.account import Role
from data_contracts.audit import Outcome
from data_contracts.deletion import DeletionKind
from data_contracts.review import Question, QuestionKind, State, Verdict
from flows.cases.case_state import CaseState
from flows.cases.review import Asked
from flows.desk.acts import Act
from flows.desk.language import NAMES, mark
from tasks.artefacts.exports import PICTURES as PICTURES
from tasks.artefacts.exports import REPORT as REPORT
from tasks.artefacts.report.words import percent as percent
from tasks.artefacts.visits import VisitState
from tasks.ending.purge import WITHDRAWN as WITHDRAWN
from tasks.exposure.compared import ChangeKind
from tasks.review.reasons import Reason, Speaks

OUTCOMES: dict[Outcome, str] = {
    "success": mark("done"),
    "refused": mark("refused"),
    "failed": mark("failed"),
}

# Those of accounts, and of what else acts.
ROLES: dict[Role | Literal["intake", "operator", "service"], str] = {
    "intake": mark("intake"),
    "operator": mark("operator"),
    "service": mark("service"),
    "tracer": mark("contact tracer"),
    "consent-officer": mark("consent officer"),
    "approver": mark("approver"),
    "reviewer": mark("reviewer"),
    "administrator": mark("administrator"),
    "auditor": mark("auditor"),
}

STATES = {
    "filed": mark("filed"),
    "running": mark("running"),
    "published": mark("published"),
    "unreadable": mark("cannot be read"),
}

# The pages of the bar: the act that opens each, its address, its name.
NAVIGATION: tuple[tuple[Act, str, str], ...] = (
    ("list cases", "/cases", mark("Cases")),
    ("see filings", "/filing", mark("Filing")),
    ("keep accounts", "/administration", mark("Administration")),
    ("keep cameras", "/cameras", mark("Cameras")),
    ("read audit log", "/audit", mark("Audit log")),
)
LANGUAGES = NAMES


def waits_for(text: Callable[..., str], found: CaseState) -> str:
    """What of a case waits for whom, in the language of `text`."""
    if found.state == "unreadable":
        return text("an operator: the case cannot be read")
    if found.state == "filed":
        return text("the trace to begin")
    if found.state == "running":
        return text("the trace to end")
    if found.questions:
        return text("two reviewers: %(count)s questions", count=found.questions)
    return text("nobody")


HOW = {
    "waiting": mark("Waits to begin"),
    "running": mark("Under way"),
    "published": mark("Finished"),
    "ended": mark("Ended without a result"),
    "unknown": mark("How it goes cannot be asked now"),
}

# Prefect's words for a run that ended without a result.
FLOW_STATES = {
    "Completed": mark("completed"),
    "Failed": mark("failed"),
    "Crashed": mark("its process died"),
    "Cancelled": mark("stopped"),
    "Interrupted": mark("interrupted; it starts again by itself"),
    "TimedOut": mark("took too long"),
}

# The stages by their own names and those of their tasks.
STAGES = {
    "authorise and claim": mark("check consent and approval"),
    "read pointings": mark("read where somebody pointed"),
    "build template": mark("read the reference pictures"),
    "plan search": mark("plan where to look"),
    "scan footage": mark("look at key frames"),
    "plan following": mark("plan whom to follow"),
    "follow around sightings": mark("follow frame by frame"),
    "build looks": mark("learn the clothes of the day"),
    "compare looks": mark("compare clothes"),
    "scan for looks": mark("look for the clothes"),
    "track, join, sight": mark("tell people apart"),
    "trajectory": mark("draw the way"),
    "encounters": mark("measure who was near"),
    "assess": mark("apply the exposure policy"),
    "redact pictures": mark("hide everybody else in pictures"),
    "carry pictures over": mark("carry pictures over"),
    "collect gaps": mark("collect the gaps"),
    "report and publish": mark("write the report"),
    "tell the operators": mark("tell the operators"),
}

GAPS: dict[str, str] = {
    "not_authorised": mark("not allowed"),
    "not_infectious": mark("outside the infectious time"),
    "not_covered": mark("no camera"),
    "no_footage": mark("no footage"),
    "unreadable": mark("unreadable"),
    "no_pictures": mark("no pictures"),
    "few_pictures": mark("too few pictures"),
    "doubtful_time": mark("doubtful time"),
    "no_calibration": mark("not calibrated"),
    "not_seen": mark("not seen"),
    "failed": mark("failed"),
}

DELETED: dict[DeletionKind, str] = {
    "key_versions": mark("versions of the key"),
    "object_versions": mark("versions of encrypted objects"),
    "delete_markers": mark("marks of deleted objects"),
    "uploads": mark("unfinished uploads"),
    "runs": mark("runs in the orchestrator"),
    "artifacts": mark("summaries in the orchestrator"),
    "database_rows": mark("rows of the orchestrator's database"),
    "scratch_files": mark("scratch files"),
    "fetched_files": mark("copies fetched on this machine"),
    "log_mentions": mark("mentions in logs"),
}


# What an import does to a camera (tasks/calibration/camera_import.py).
IMPORTS = {
    "new": mark("is added"),
    "changed": mark("is changed"),
    "same": mark("stays as it is"),
}


def task_name(name: str) -> str:
    """What a stage or a task of it is called: the task's name may end in a number of its own."""
    return STAGES.get(name, STAGES.get(name.rpartition("-")[0], name))


def duration(text: Callable[..., str], seconds: float) -> str:
    """Such as 45 s, 2 min 37 s, 1 h 5 min, in the language of `text`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return text("%(s)d s", s=whole)
    if whole < 3600:
        return text("%(m)d min %(s)d s", m=whole // 60, s=whole % 60)
    return text("%(h)d h %(m)d min", h=whole // 3600, m=whole % 3600 // 60)


def short(names: Sequence[str]) -> str:
    """The first of some names, each cut, and how many more there are."""
    shown = ", ".join(name if len(name) <= 48 else f"{name[:47]}…" for name in names[:2])
    return shown + (f" (+{len(names) - 2})" if len(names) > 2 else "")


ASKS: dict[QuestionKind, str] = {
    "sighting": mark("Is this the subject?"),
    "same": mark("Is this person nobody but the subject, seen twice?"),
    "contact": mark("Is this one person, other than the subject, and as near as is said?"),
}

REVIEWS: dict[State, str] = {
    "open": mark("open"),
    "confirmed": mark("confirmed"),
    "rejected": mark("rejected"),
}

VERDICTS: dict[Verdict, str] = {
    "confirm": mark("Confirm"),
    "reject": mark("Reject"),
    "cannot-say": mark("Cannot say"),
}
VERDICT_KEYS: dict[Verdict, str] = {"confirm": "c", "reject": "r", "cannot-say": "u"}

SPEAKS: dict[Speaks, str] = {
    "for": mark("for"),
    "against": mark("against"),
    "neither": mark("neither"),
}

ABOUT = {
    "face": mark("face"),
    "looks": mark("looks"),
    "way": mark("way"),
    "place": mark("place"),
    "pointing": mark("pointing"),
    "reviewers": mark("reviewers"),
    "time": mark("time"),
    "distance": mark("distance"),
    "doubt": mark("doubt"),
    "masks": mark("masks"),
}

MASKS = {
    "masked": mark("wore a mask"),
    "bare": mark("wore no mask"),
    "mixed": mark("wore a mask part of the time"),
    "unknown": mark("not visible"),
}


def cameras_of(question: Question) -> str:
    """The cameras that a question is about."""
    return ", ".join(sorted({found.camera_id for found in question.marks}))


def answer_waits_for(text: Callable[..., str], asked: Asked) -> str:
    """Whose answer a question waits for, for the reviewer who reads it."""
    if asked.state != "open":
        return text("nobody")
    if asked.waits:
        return text("you")
    return text("two others: you pointed") if asked.pointed else text("another reviewer")


def in_words(text: Callable[..., str], reason: Reason) -> str:
    """What a reason says, in the language of `text`."""
    values = {k: text(MASKS[v]) if v in MASKS else v for k, v in reason.values.items()}
    return text(reason.message, **values)


def rival(text: Callable[..., str], who: str) -> str:
    """Who else a sighting may be: a contact by its number, or somebody."""
    return who if who.startswith("C-") else text("somebody who is not a contact")


PROPOSED = {
    "unreviewed": mark("proposed"),
    "confirmed": mark("confirmed"),
    "rejected": mark("rejected"),
}

VISITS: dict[VisitState, str] = {
    "found": mark("found"),
    "asked": mark("perhaps: a question"),
    "not found": mark("not found"),
    "not to be seen": mark("could not be seen"),
}
VISIT_BADGES: dict[VisitState, str] = {
    "found": "confirmed",
    "asked": "open",
    "not found": "rejected",
    "not to be seen": "unseen",
}

CHANGES: dict[ChangeKind, str] = {
    "same": mark("as now"),
    "other rule": mark("by another rule"),
    "new": mark("would be a contact"),
    "gone": mark("would be none"),
}
CHANGE_BADGES: dict[ChangeKind, str] = {
    "same": "neither",
    "other rule": "open",
    "new": "for",
    "gone": "against",
}


def clock_offset(text: Callable[..., str], ahead_s: float) -> str:
    """How far a clock is off, in the language of `text`."""
    if abs(ahead_s) < 0.05:
        return text("right")
    seconds = f"{abs(ahead_s):,.1f}"
    if ahead_s > 0:
        return text("%(seconds)s s ahead", seconds=seconds)
    return text("%(seconds)s s behind", seconds=seconds)
