"""`encounter audit verify | export | show | whoami`: reading the audit log. Nothing here can change
it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from data_contracts.audit import Link, canonical, read_link
from data_contracts.errors import AuditBroken, BadInput, NotFound
from data_contracts.signature import PublicKey
from flows.cli.console import print_as_written, read_file, say, warn, write_private
from flows.cli.listing import Column, Json, Listing
from flows.runtime.acting import this_user
from flows.runtime.audit import audit, pseudonym
from flows.runtime.environment import Environment, environment
from infra.audit_log import StoredEntry
from infra.checkpoint_file import read_checkpoints
from infra.settings import load_settings
from infra.signing import find_signing_key, published_keys
from tasks.audit.chain import Verdict
from tasks.audit.chain import verify as check
from tasks.audit.fhir import bundle
from tasks.consent.jws import read_public_keys

app = typer.Typer(help="The audit log: check, export, show.", no_args_is_help=True)
LOG_FILE = "audit.jsonl"
FHIR_FILE = "audit-events.fhir.json"
CHECKPOINTS_FILE = "checkpoints.txt"
KEYS_FILE = "installation-keys.json"
# For a person; --json gives the entries as they are stored (docs/audit.md).
ENTRIES = Listing(
    "audit show",
    (
        Column("sequence", "no"),
        Column("recorded_utc", "UTC", lambda at: f"{at:%m-%d %H:%M:%S}"),
        Column("action", "action"),
        Column("outcome", "outcome"),
        Column("case_id", "case"),
        Column("role", "role"),
        Column("actor", "actor", lambda actor: str(actor)[:21]),
        Column("about", "about"),
    ),
)
# Findings shown; a log replaced as a whole has one an entry.
_MOST_SHOWN = 50


class Format(StrEnum):
    """Forms of an export."""

    jsonl = "jsonl"
    fhir = "fhir"


@app.command("verify")
def verify(
    folder: Annotated[
        Path | None, typer.Option(help="Check an exported folder instead of the store; offline.")
    ] = None,
    checkpoint_key: Annotated[
        list[Path] | None,
        typer.Option(
            help="Public key that checkpoints must be signed by; repeat for earlier keys."
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Checkpoints kept apart from the log, one a line.")
    ] = None,
) -> None:
    """Check the whole log; exit status 1 and the numbers of the entries where anything was changed
    or removed.
    """
    keys = [k for path in checkpoint_key or [] for k in read_public_keys(read_file(path))]
    outside = read_checkpoints(checkpoint) if checkpoint else []
    if folder is not None:
        items: Iterator[tuple[int | None, bytes | None]] = _lines_of(folder / LOG_FILE)
        outside += read_checkpoints(folder / CHECKPOINTS_FILE)
        keys = keys or list(_folder_keys(folder))
        verdict = check(items, keys, outside)
    else:
        env = environment()
        keys = keys or _own_keys(env)
        verdict = check(_stored_lines(env), keys, [*outside, *env.audit_log.witnessed()])
        say(*lock_line(env.audit_log.locked, env.settings.audit.lock_days))
        for key in env.audit_log.strangers():
            say(f"{key} is not an entry's key", "note:")
    _tell_verdict(verdict, keys)


def _tell_verdict(verdict: Verdict, keys: list[PublicKey]) -> None:
    for finding in verdict.findings[:_MOST_SHOWN]:
        say(str(finding))
    say(f"{verdict.entries} entries, {verdict.checkpoints} checkpoints; last hash {verdict.head}")
    if not keys:
        say(
            "give the installation's public key with --checkpoint-key",
            "checkpoints were not checked:",
        )
    elif verdict.entries:
        left = verdict.entries - verdict.vouched
        say(f"signed up to entry {verdict.vouched}; the last {left} are held by the chain alone")
    if verdict.findings:
        first = verdict.findings[0]
        raise AuditBroken(
            f"{len(verdict.findings)} findings, the first at entry {first.sequence}: {first.kind}"
        )
    say("nothing was changed, removed or reordered")


def _stored_lines(env: Environment) -> Iterator[tuple[int | None, bytes | None]]:
    yield from env.audit_log.read()


def _lines_of(path: Path) -> Iterator[tuple[int | None, bytes | None]]:
    for line in read_file(path).split(b"\n"):
        if line:
            yield None, line


def _own_keys(env: Environment) -> list[PublicKey]:
    """This home's key, which the store cannot replace; else the ones that the site published, and a
    warning.
    """
    if env.audit_log.key is not None:
        return [env.audit_log.key.public]
    try:
        keys = read_public_keys(published_keys(env.store))
    except NotFound:
        return []
    warn("the public keys are the store's own:", "give one you trust with --checkpoint-key")
    return list(keys)


def _folder_keys(folder: Path) -> tuple[PublicKey, ...]:
    path = folder / KEYS_FILE
    if not path.exists():
        return ()
    warn("the public keys are the export's own:", "give one you trust with --checkpoint-key")
    return read_public_keys(read_file(path))


def lock_line(locked: bool | None, days: int) -> tuple[str, str]:
    """Whether the store locks entries, None where it cannot be asked; a text and its label."""
    if locked is None:
        return "the object store cannot be asked", ""
    if locked:
        return f"object lock: on; entries cannot be deleted for {days} days", ""
    found = "a deleted entry is found by the check, not prevented"
    return found, "object lock: not available here;"


@app.command("export")
def export(
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    format: Annotated[
        Format, typer.Option(help="jsonl: as stored, to be checked offline; fhir: AuditEvent.")
    ] = (Format.jsonl),
) -> None:
    """Write the log to a folder: as lines with what is needed to check them offline, or as FHIR R4
    AuditEvents.
    """
    env = environment()
    audit(env, "export", objects=("audit log", format.value), checkpoint=True)
    entries = list(env.audit_log.read())
    if format is Format.fhir:
        data = json.dumps(bundle(_readable_links(entries)), indent=1).encode()
        write_private(out / FHIR_FILE, data)
    else:
        write_private(
            out / LOG_FILE, b"".join(e.data.replace(b"\n", b" ") + b"\n" for e in entries if e.data)
        )
        write_private(
            out / CHECKPOINTS_FILE, "".join(f"{c}\n" for c in env.audit_log.witnessed()).encode()
        )
        write_private(out / KEYS_FILE, published_keys(env.store))
    say(f"{len(entries)} entries written to {out}")


def _readable_links(entries: list[StoredEntry]) -> list[Link]:
    """Entries that can be read; how many cannot is said."""
    links = []
    for stored in entries:
        try:
            links.append(read_link(stored.data or b""))
        except BadInput:
            told = f"entry {stored.sequence} cannot be read; see encounter audit verify"
            warn("left out:", told)
    return links


@app.command("show")
def show(
    last: Annotated[int, typer.Option(min=1, help="How many entries.")] = 20,
    case: Annotated[str | None, typer.Option(help="Only this case's.")] = None,
    as_json: Json = False,
) -> None:
    """The last entries."""
    entries = [
        found
        for found in _readable_links(list(environment().audit_log.read()))
        if case in (None, found.entry.case_id)
    ]
    if as_json:
        for found in entries[-last:]:
            print_as_written(canonical(found).decode())
        return
    ENTRIES.table(_entry_row(found) for found in entries[-last:])


def _entry_row(found: Link) -> dict[str, object]:
    entry = found.entry
    about = entry.reason or ", ".join(entry.objects[:2]) or entry.policy
    return entry.model_dump() | {"about": about}


@app.command("whoami")
def whoami(
    account: Annotated[
        str | None, typer.Option(help="A reviewer's account instead of this user.")
    ] = None,
) -> None:
    """The pseudonym under which this user, or a reviewer's account, stands in the log."""
    who = this_user() if account is None else this_user()._replace(kind="account", name=account)
    say(pseudonym(who, find_signing_key(load_settings())))
