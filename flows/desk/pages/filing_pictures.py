"""The reference pictures of a case that is filed: each is looked at when it comes, and kept only
where it shows one clear face.
"""

from __future__ import annotations

import re
import threading
from typing import NamedTuple

from starlette.responses import Response

from data_contracts.errors import ModelUnavailable
from data_contracts.filing_draft import MOST_PICTURES, DraftPicture, FilingDraft
from flows.cases import drafts
from flows.desk.filing_words import PICTURES
from flows.desk.page import page
from flows.desk.pages.filing import OF_DRAFT, own_draft, seen_draft, show_step
from flows.desk.visit import Visit
from flows.runtime.audit import audit
from models.registry import load_face
from tasks.footage.picture import MAX_BYTES, header_size
from tasks.observe.face import MAX_TURN
from tasks.observe.template import PictureCheck, check_picture

_FORM_BYTES = MAX_BYTES + 2**20
_NUMBER = re.compile(r"^picture-(\d{1,3})\.", re.ASCII)
# A picture of 64 million pixels takes 200 MB once decoded: one at a time.
_looking = threading.Lock()


class Refused(NamedTuple):
    """A picture that was not kept: its name on the sender's machine, and why."""

    name: str
    why: str


@page("GET", f"{OF_DRAFT}/pictures", "file case")
def ask_pictures(visit: Visit) -> Response:
    """The pictures that there are, and the field for more."""
    return _shown(visit, own_draft(visit, "filing: pictures"), [])


def _shown(visit: Visit, draft: FilingDraft, refused: list[Refused]) -> Response:
    return show_step(visit, "pictures", draft, bool(refused), refused=refused, most=MOST_PICTURES)


@page("POST", f"{OF_DRAFT}/pictures", "file case", form_bytes=_FORM_BYTES, files=True)
def add_pictures(visit: Visit) -> Response:
    """Look at each picture; keep those that are good."""
    draft = own_draft(visit)
    drafts.check_stage(draft, "open")
    refused = []
    for sent in visit.files.get("picture", []):
        found = _looked_at(visit, sent.data)
        why: str = found.fault if found else ""
        if not why and len(draft.pictures) >= MOST_PICTURES:
            why = "too_many"
        if why:
            refused.append(Refused(sent.name[:80], visit.text(PICTURES[why])))
            continue
        kept = DraftPicture(
            name=_name(draft, sent.data),
            width_px=round(found.width_px, 1) if found else None,
            turned=bool(found and found.turn > MAX_TURN),
        )
        audit(visit.env, "draft", case_id=draft.draft_id, reason="a picture added")
        draft = drafts.add_picture(visit.env, draft.draft_id, kept, sent.data)
    return _shown(visit, draft, refused)


def _looked_at(visit: Visit, data: bytes) -> PictureCheck | None:
    """What a picture is good for; None where no model is at hand and it can only be read."""
    if header_size(data) is None:
        return PictureCheck("unreadable")
    try:
        detector, least_px = load_face(visit.env.settings.models)
    except ModelUnavailable:
        return None
    with _looking:
        return check_picture(data, detector, least_px)


def _name(draft: FilingDraft, data: bytes) -> str:
    """A name that says nothing: that of the sender's file may be a person's."""
    numbers = [int(found[1]) for p in draft.pictures if (found := _NUMBER.match(p.name))]
    kind = "png" if data.startswith(b"\x89PNG") else "jpg"
    return f"picture-{max(numbers, default=0) + 1}.{kind}"


@page("POST", f"{OF_DRAFT}/pictures/remove", "file case")
def remove_picture(visit: Visit) -> Response:
    """Delete one of them."""
    draft = own_draft(visit)
    audit(visit.env, "draft", case_id=draft.draft_id, reason="a picture removed")
    drafts.remove_picture(visit.env, draft.draft_id, visit.sent("name"))
    return visit.go(visit.request.url.path.removesuffix("/remove"))


@page("GET", f"{OF_DRAFT}/picture/{{name}}", "see filings")
def send_picture(visit: Visit) -> Response:
    """One picture as it was sent, for whoever sees the draft."""
    name = visit.request.path_params["name"]
    draft = seen_draft(visit, f"picture {name[:40]}")
    data = drafts.picture_of(visit.env, draft, name)
    return Response(data, media_type="image/png" if name.endswith(".png") else "image/jpeg")
