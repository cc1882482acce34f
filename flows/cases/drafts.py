"""Cases that are being filed: kept sealed under a key of their own, like a case, seen by their
author and by the two whom they hand it to; destroyed when filed, when given up, or by the purge
pass when they are old.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from typing import Any

from data_contracts import object_key
from data_contracts.case import DRAFT_ID
from data_contracts.deletion import Receipt
from data_contracts.errors import BadInput, EncounterError, KeyMissing, NotFound
from data_contracts.filing_draft import MOST_PICTURES, DraftPicture, FilingDraft, Stage
from data_contracts.time import now_utc
from flows.cases.destroy import destroy_case
from flows.runtime.audit import audit
from flows.runtime.environment import Environment
from infra.held_file import in_turn
from tasks.footage.picture import MAX_BYTES

_RANDOM_BYTES = 12  # 20 characters of base32


def begin(env: Environment, author: str) -> FilingDraft:
    """A new draft of an account."""
    draft_id = f"DRAFT-{base64.b32encode(secrets.token_bytes(_RANDOM_BYTES)).decode()[:20]}"
    made = FilingDraft(draft_id=draft_id, author=author, begun_utc=now_utc())
    audit(env, "draft", case_id=draft_id, reason="begun")
    env.cases.create_key(draft_id)
    _write(env, made)
    return made


def read(env: Environment, draft_id: str) -> FilingDraft:
    """A draft. Raises NotFound where there is none (any more)."""
    if not DRAFT_ID.match(draft_id):
        raise NotFound("there is no such draft")
    key = object_key.draft(draft_id)
    try:
        return FilingDraft.stored(env.cases.open(draft_id).get(key), key)
    except KeyMissing as error:
        raise NotFound("there is no such draft (any more)") from error


def drafts_of(env: Environment, account: str) -> list[FilingDraft]:
    """The drafts that an account sees, the newest first. One that cannot be read is nobody's."""
    found = []
    for draft_id in filter(DRAFT_ID.match, env.cases.case_ids()):
        try:
            draft = read(env, draft_id)
        except EncounterError:
            continue
        if draft.seen_by(account):
            found.append(draft)
    return sorted(found, key=lambda draft: draft.begun_utc, reverse=True)


def change(env: Environment, draft_id: str, **fields: Any) -> FilingDraft:
    """Change what is filed: whatever was signed or offered for signing before does not count any
    more. Raises BadInput where the draft is with those who sign.
    """
    return _changed(env, draft_id, lambda _: fields)


def _changed(
    env: Environment, draft_id: str, fields: Callable[[FilingDraft], dict[str, Any]]
) -> FilingDraft:
    def changed(draft: FilingDraft) -> FilingDraft:
        check_stage(draft, "open")
        own = {"revision": draft.revision + 1, "offer": None, "consent": ""}
        return FilingDraft.model_validate({**draft.model_dump(), **fields(draft), **own})

    return _in_turn(env, draft_id, changed)


def step(env: Environment, draft: FilingDraft, stage: Stage, **fields: Any) -> FilingDraft:
    """Hand a draft on, or write down what was offered or signed, of the draft as it was read.
    Raises BadInput where it was changed or handed on since.
    """

    def stepped(now: FilingDraft) -> FilingDraft:
        check_same(draft, now)
        return FilingDraft.model_validate({**now.model_dump(), "stage": stage, **fields})

    return _in_turn(env, draft.draft_id, stepped)


def check_same(read_before: FilingDraft, now: FilingDraft) -> None:
    """Raise BadInput where a draft is not as it was read."""
    if (read_before.revision, read_before.stage) != (now.revision, now.stage):
        raise BadInput("the filing was changed meanwhile: open it again and look")


def check_stage(draft: FilingDraft, stage: Stage) -> None:
    """Raise BadInput where a draft is with somebody else than one thinks."""
    if draft.stage != stage:
        raise BadInput("the filing is at another step now: open it again and look")


def add_picture(env: Environment, draft_id: str, picture: DraftPicture, data: bytes) -> FilingDraft:
    """Keep a picture; one of the same name is replaced. Raises BadInput where there are more."""

    def added(draft: FilingDraft) -> dict[str, Any]:
        others = [p for p in draft.pictures if p.name != picture.name]
        if len(others) >= MOST_PICTURES:
            raise BadInput(f"a case has {MOST_PICTURES} reference pictures at most")
        env.cases.open(draft_id).put(object_key.reference(draft_id, picture.name), data)
        return {"pictures": (*others, picture)}

    return _changed(env, draft_id, added)


def remove_picture(env: Environment, draft_id: str, name: str) -> FilingDraft:
    """Delete a picture, all versions of it."""

    def removed(draft: FilingDraft) -> dict[str, Any]:
        env.cases.open(draft_id).remove(object_key.reference(draft_id, name))
        return {"pictures": tuple(p for p in draft.pictures if p.name != name)}

    return _changed(env, draft_id, removed)


def picture_of(env: Environment, draft: FilingDraft, name: str) -> bytes:
    """A picture of a draft. Raises NotFound."""
    if name not in {p.name for p in draft.pictures}:
        raise NotFound("the draft has no picture of that name")
    key = object_key.reference(draft.draft_id, name)
    return env.cases.open(draft.draft_id).get(key, MAX_BYTES)


def pictures_of(env: Environment, draft: FilingDraft) -> dict[str, bytes]:
    """All pictures of a draft by their names."""
    return {picture.name: picture_of(env, draft, picture.name) for picture in draft.pictures}


def destroy(env: Environment, draft_id: str, reason: str) -> Receipt:
    """Destroy a draft as a case is destroyed: key first, with a receipt. Raises as
    `flows.cases.destroy.destroy_case`.
    """
    return destroy_case(draft_id, reason, env)


def _in_turn(
    env: Environment, draft_id: str, change_it: Callable[[FilingDraft], FilingDraft]
) -> FilingDraft:
    """Read, change and write while nobody else of this machine does."""
    with in_turn(env.settings.paths.held("filing-drafts")):
        changed = change_it(read(env, draft_id))
        _write(env, changed)
    return changed


def _write(env: Environment, draft: FilingDraft) -> None:
    vault = env.cases.open(draft.draft_id)
    vault.put(object_key.draft(draft.draft_id), draft.model_dump_json().encode())
