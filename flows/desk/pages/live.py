"""A case's page that lives: server-sent events with the part of the page that changes.

The case, the account and its session are looked at anew before each event, so that a stream ends
with the consent, with the assignment and with the login.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from data_contracts.errors import KeyMissing, NotAuthorised, NotFound, StoreError
from flows.cases.progress import Progress, Watch
from flows.desk.acts import role_for
from flows.desk.door import find_login, may_see_case
from flows.desk.page import page
from flows.desk.visit import Visit
from flows.runtime.acting import Acting, acting
from flows.runtime.audit import audit

EVERY_S = 2.0
# Longer than this without an event, and what lies between (a proxy) ends the connection.
BEAT_S = 15.0
# Then the browser connects anew, and the look is written down again.
LONGEST_S = 3600.0
MOST_OF_SESSION = 6
_OVER = "event: over\ndata: over\n\n"


@page("GET", "/cases/{case_id}/live", "see case")
def live(visit: Visit) -> Response:
    """The stream of a case's progress, until its run is over."""
    assert visit.session is not None
    if visit.session.streams >= MOST_OF_SESSION:
        return visit.problem(429, visit.text("Too many live pages are open: close one."))
    audit(visit.env, "view", case_id=visit.case_id, objects=("live page",))
    return StreamingResponse(_events(visit), media_type="text/event-stream")


async def _events(visit: Visit) -> AsyncIterator[str]:
    assert visit.session is not None
    session = visit.session
    session.streams += 1
    watch = Watch(visit.env, visit.case_id)
    clock = asyncio.get_running_loop()
    begun = clock.time()
    told = ""
    told_s = begun
    try:
        while clock.time() - begun < LONGEST_S:
            shown = await run_in_threadpool(_shown, visit, watch)
            if shown is None:
                yield _OVER
                return
            if shown != told or clock.time() - told_s > BEAT_S:
                yield _event(shown) if shown != told else ": beat\n\n"
                told = shown
                told_s = clock.time()
            await asyncio.sleep(EVERY_S)
    finally:
        session.streams -= 1


def _event(html: str) -> str:
    return "".join(f"data: {line}\n" for line in html.splitlines() if line.strip()) + "\n"


def _shown(visit: Visit, watch: Watch) -> str | None:
    """The part of the page as it is now; None where the stream is over."""
    find_login(visit, used=False)
    role = role_for(visit.account, "see case") if visit.account else None
    if visit.account is None or role is None or not may_see_case(visit):
        return None
    with acting(Acting("account", visit.account.name, role)):
        try:
            found = watch.look()
        except (NotAuthorised, KeyMissing, NotFound):
            return None
        except StoreError:
            return visit.render("live_fault.html")
    return None if is_over(found) else visit.render("live.html", progress=found)


def is_over(found: Progress) -> bool:
    """Whether nothing more will come without somebody's act."""
    return found.how in ("published", "ended")
