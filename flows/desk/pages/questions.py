"""What a case's reviewers are asked: the queue, one question with all that speaks for and against,
and their answer. What decides is in `flows.cases.review`; nothing here counts an answer.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import cv2
from pydantic import ValidationError
from starlette.responses import Response

from data_contracts.errors import BadInput, NotFound
from data_contracts.record import first_fault
from data_contracts.review import REASON_CHARACTERS, Given
from flows.cases.evidence import Clip, Evidence, boxes_on, evidence_of
from flows.cases.look import look_at_question
from flows.cases.review import Asked, answer, questions
from flows.desk.page import page
from flows.desk.visit import Visit
from flows.runtime.audit import audit
from flows.runtime.open_case import open_case
from tasks.artefacts.report.floor_plan import draw_plan
from tasks.footage.picture import decode_picture
from tasks.redaction.redact import RedactSettings

# A reference picture is shown beside a clip, not larger.
_REFERENCE_PX = 480


@page("GET", "/cases/{case_id}/questions", "review case")
def list_questions(visit: Visit) -> Response:
    """The queue, most valuable first; what is decided below."""
    asked = questions(visit.env, visit.case_id)
    left = [one for one in asked if one.state == "open"]
    done = [one for one in asked if one.state != "open"]
    own = sum(one.waits for one in left)
    return visit.show("questions.html", left=left, done=done, own=own)


@page("GET", "/cases/{case_id}/questions/{question_id}", "review case")
def show_question(visit: Visit) -> Response:
    """One question."""
    return _shown(visit)


@page("POST", "/cases/{case_id}/questions/{question_id}", "review case")
def give_answer(visit: Visit) -> Response:
    """Write the account's answer down, for good; then the question as it stands."""
    try:
        given = _given(visit)
    except ValidationError as error:
        return _shown(visit, _fault(visit, error))
    asked = answer(visit.env, visit.case_id, _question_id(visit), given)
    return visit.go(f"/cases/{visit.case_id}/questions/{asked.question.question_id}")


@page("POST", "/cases/{case_id}/questions/{question_id}/look", "review case")
def look(visit: Visit) -> Response:
    """Whom an unsure sighting is about, in a picture that is made for this look and kept nowhere:
    a part of the page where the page asks, else a page of its own.
    """
    asked, _ = _find(visit)
    if not asked.name:
        raise BadInput("the last run has this question no more: there is nothing to look at")
    still = look_at_question(visit.env, visit.case_id, asked.name)
    part = bool(visit.request.headers.get("hx-request"))
    data = base64.b64encode(still).decode()
    return visit.show("look.html" if part else "look_page.html", asked=asked, still=data)


@page("GET", "/cases/{case_id}/reference/{number}", "review case")
def reference(visit: Visit) -> Response:
    """A reference picture of the subject, small, for who compares."""
    case = open_case(visit.case_id, visit.env)
    names = sorted(case.request.reference_images)
    number = visit.request.path_params["number"]
    if not number.isascii() or not number.isdigit() or int(number) >= len(names):
        raise NotFound("the case has no such reference picture")
    name = names[int(number)]
    audit(visit.env, "view", case=case.authorised, objects=(f"reference {name}",))
    image = decode_picture(name, case.references[name])
    factor = min(1.0, _REFERENCE_PX / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return Response(cv2.imencode(".jpg", small)[1].tobytes(), media_type="image/jpeg")


def _question_id(visit: Visit) -> str:
    return str(visit.request.path_params["question_id"])


def _given(visit: Visit) -> Given:
    """What the form says. Raises ValidationError."""
    return Given.model_validate(
        {
            "verdict": visit.sent("verdict"),
            "reason": visit.sent("reason").replace("\r", "").strip(),
            "person_mask": visit.sent("mask") or None,
        }
    )


def _fault(visit: Visit, error: ValidationError) -> str:
    """What is wrong with the form, beside its fields."""
    if visit.sent("verdict") not in ("confirm", "reject", "cannot-say"):
        return visit.text("Choose an answer.")
    if not visit.sent("reason").strip():
        return visit.text("Give a reason: it is needed with this answer.")
    if len(visit.sent("reason")) > REASON_CHARACTERS:
        return visit.text("The reason is too long: %(most)s letters.", most=REASON_CHARACTERS)
    return first_fault(error)


def _find(visit: Visit) -> tuple[Asked, list[Asked]]:
    """The question of the address, and all. Raises NotFound."""
    queue = questions(visit.env, visit.case_id)
    for asked in queue:
        if _question_id(visit) in (asked.question.question_id, asked.name):
            return asked, queue
    raise NotFound("this case has no such question")


def _shown(visit: Visit, problem: str = "") -> Response:
    asked, queue = _find(visit)
    case = open_case(visit.case_id, visit.env)
    evidence = evidence_of(visit.env, visit.case_id, asked)
    waiting = [one for one in queue if one.waits and one.question != asked.question]
    return visit.show(
        "question.html",
        400 if problem else 200,
        asked=asked,
        evidence=evidence,
        cameras=[_camera(clip, asked, evidence, case.site.by_id) for clip in evidence.clips],
        plan=_plan(visit, evidence, case.site),
        references=len(case.request.reference_images) if asked.question.kind != "contact" else 0,
        next=waiting[0] if waiting else None,
        waiting=len(waiting),
        problem=problem,
        sent=visit.sent,
        fps=RedactSettings().clip_fps,
        most=REASON_CHARACTERS,
    )


def _plan(visit: Visit, evidence: Evidence, site: Any) -> str:
    """The way before and after, with that of who is asked about; empty where no place is known."""
    if visit.clock is None or not (len(evidence.way) or len(evidence.asked_way)):
        return ""
    return draw_plan(
        site,
        evidence.way,
        evidence.contacts,
        visit.clock,
        asked=evidence.asked_way,
        text=visit.text,
    )


def _camera(
    clip: Clip, asked: Asked, evidence: Evidence, cameras: Mapping[str, Any]
) -> dict[str, Any]:
    """What the player needs of a clip. `start`: seconds after the first of all clips begins."""
    spans = [c.span for c in evidence.clips if c.span]
    first = min(span.start_utc for span in spans) if spans else None
    camera = cameras.get(clip.camera_id)
    start = (clip.span.start_utc - first).total_seconds() if clip.span and first else 0.0
    return {
        "clip": clip,
        "name": camera.name if camera and camera.name else clip.camera_id,
        "width": camera.image_width if camera else 0,
        "height": camera.image_height if camera else 0,
        "start": round(start, 3),
        "first": first,
        "boxes": boxes_on(asked.question, clip.camera_id, first) if first else [],
    }
