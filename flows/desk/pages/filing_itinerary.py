"""The itinerary of a case that is filed: rows with the site's places and local times, typed or
pasted.
"""

from __future__ import annotations

from typing import NamedTuple

from starlette.responses import Response

from data_contracts.camera import Site
from data_contracts.case import Visit as ClaimedVisit
from data_contracts.filing_draft import MOST_ROWS, FilingDraft, TypedVisit
from data_contracts.time import Interval, now_utc
from flows.cases.draft_request import window_of
from flows.desk.filing_words import PASTE
from flows.desk.page import page
from flows.desk.pages.filing import (
    OF_DRAFT,
    PATH,
    check_typed,
    findings,
    keep,
    own_draft,
    show_step,
)
from flows.desk.site_plan import draw_site
from flows.desk.visit import Visit
from flows.runtime.environment import site
from tasks.search.anchor import cameras_named_like, nearest_places
from tasks.search.pasted_rows import decode, read_rows
from tasks.search.typed_time import TypedTime, read_time
from tasks.search.typed_visit import Fault, visit_of

_FORM_BYTES = 2 * 2**20
_FIELDS = ("place", "start", "end", "tolerance_min", "repeated")


class ShownRow(NamedTuple):
    """A row as the page shows it: what was typed, what is wrong with it by field, the names of the
    cameras that its place is looked for on, else the nearest names; whether it lies outside the
    infectious window.
    """

    number: int
    typed: TypedVisit
    wrong: dict[str, str]
    cameras: tuple[str, ...]
    nearest: tuple[str, ...]
    outside: bool

    def picker(self, field: str) -> str:
        """The value of a field for the browser's picker of local times; empty where it is none."""
        read = read_time(getattr(self.typed, field))
        if isinstance(read, TypedTime) and read.day and read.clock and read.at is None:
            return f"{read.day}T{read.clock}"
        return ""


@page("GET", f"{OF_DRAFT}/itinerary", "file case")
def ask_itinerary(visit: Visit) -> Response:
    """The rows."""
    return _shown(visit, own_draft(visit, "filing: itinerary"), bool(visit.asked("look")))


def _shown(
    visit: Visit, draft: FilingDraft, look: bool, more: int = 0, pasted: str = "", problem: str = ""
) -> Response:
    """The page, with so many empty rows more; `pasted` and what is wrong with it."""
    cameras = site(visit.env)
    now = now_utc()
    window = window_of(draft.onset, draft.sample, draft.policy, cameras.zone, now)
    rows = [_row(n, typed, cameras, window, look) for n, typed in enumerate(draft.visits, start=1)]
    room = min(max(more, not rows), MOST_ROWS - len(rows))
    rows += [_row(len(rows) + n, TypedVisit(), cameras, None, False) for n in range(1, room + 1)]
    found = {c for row in draft.visits for c in cameras_named_like(row.place, cameras)}
    return show_step(
        visit,
        "itinerary",
        draft,
        bool(problem) or (look and any(row.wrong for row in rows)),
        rows=rows,
        places=_places(cameras),
        plan=draw_site(cameras, found, visit.text("Plan of the site")),
        pasted=pasted,
        problem=problem,
    )


def _row(
    number: int, typed: TypedVisit, cameras: Site, window: Interval | None, look: bool
) -> ShownRow:
    found = visit_of(typed, cameras.zone, now_utc())
    faults: tuple[Fault, ...] = () if isinstance(found, ClaimedVisit) else found
    named = cameras_named_like(typed.place, cameras) if typed.place.strip() else ()
    near = nearest_places(typed.place, cameras) if typed.place.strip() and not named else ()
    outside = (
        isinstance(found, ClaimedVisit)
        and window is not None
        and window.intersect(Interval(found.from_utc, found.to_utc)) is None
    )
    wrong: dict[str, str] = {f.field: f.code for f in faults} if look else {}
    names = tuple(cameras.by_id[c].name or c for c in named)
    return ShownRow(number, typed, wrong, names, near, outside)


def _places(cameras: Site) -> list[str]:
    return sorted({camera.name or camera.camera_id for camera in cameras.cameras})


@page("POST", f"{OF_DRAFT}/itinerary", "file case", form_bytes=_FORM_BYTES, files=True)
def keep_itinerary(visit: Visit) -> Response:
    """Keep the rows; then what was asked: another row, one row less, pasted rows taken over, or on
    to the pictures.
    """
    draft = own_draft(visit)
    asked = visit.sent("do")
    rows = _typed_rows(visit)
    if asked.startswith("remove-"):
        rows = [row for number, row in enumerate(rows, start=1) if asked != f"remove-{number}"]
    rows = [row for row in rows if row.place or row.start or row.end]
    pasted, problem = "", ""
    if asked == "paste":
        pasted, problem, new = _pasted(visit)
        rows = [*rows, *new][:MOST_ROWS]
    draft = keep(visit, draft, visits=tuple(rows))
    if asked != "save":
        look = asked == "paste" and not problem
        return _shown(visit, draft, look, int(asked == "add"), pasted, problem)
    found = findings(visit, draft)
    if found.rows_wrong or not draft.visits:
        text = "" if draft.visits else visit.text("The itinerary has no place.")
        return _shown(visit, draft, look=True, problem=text)
    return visit.go(f"{PATH}/{draft.draft_id}/pictures")


def _typed_rows(visit: Visit) -> list[TypedVisit]:
    """The rows of the form, in their order."""
    columns = {name: visit.form.get(name, []) for name in _FIELDS}
    rows = []
    for number in range(min(len(columns["place"]), MOST_ROWS)):
        cells = {
            n: check_typed(cells[number]) for n, cells in columns.items() if number < len(cells)
        }
        if cells.get("repeated") not in ("first", "second"):
            cells.pop("repeated", None)
        rows.append(TypedVisit.model_validate(cells))
    return rows


def _pasted(visit: Visit) -> tuple[str, str, tuple[TypedVisit, ...]]:
    """The text that was pasted where something is wrong with it, what is wrong, and its rows."""
    files = visit.files.get("file", [])
    text = visit.sent("pasted")
    if files:
        decoded = decode(files[0].data)
        if decoded in PASTE:
            return text, visit.text(PASTE[decoded]), ()
        text = decoded
    rows = read_rows(text, site(visit.env).zone)
    if isinstance(rows, str):
        return text[:20_000], visit.text(PASTE[rows]), ()
    return "", "", rows
