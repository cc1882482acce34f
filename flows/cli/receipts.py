"""`encounter receipt verify | list | fetch`: the proof of a deletion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from data_contracts import object_key
from data_contracts.errors import BadInput, KeyMissing, NotFound
from data_contracts.signature import PublicKey
from flows.cli.console import print_as_written, read_file, say, warn, write_private
from flows.cli.listing import Column, Json, Listing
from flows.runtime.environment import environment
from infra.settings import load_settings
from infra.signing import load_signing_key
from tasks.consent.jws import read_public_keys
from tasks.ending.notice import receipt_notice
from tasks.ending.receipt import MAX_CHARS, receipt_lines, verify_receipt

app = typer.Typer(help="Receipts of deletions: verify, list, fetch.", no_args_is_help=True)
RECEIPTS = Listing(
    "receipt list",
    (
        Column("case", "case"),
        Column("receipt", "receipt"),
        Column("stored_utc", "stored (UTC)"),
    ),
)


@app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="The receipt (*.jws).")],
    key: Annotated[
        Path | None, typer.Option(help="The installation's public key; default: this home's own.")
    ] = None,
    notice: Annotated[
        bool, typer.Option(help="Print the subject's notice (Markdown) instead.")
    ] = False,
) -> None:
    """Check a receipt offline: needs no store and no server. Exit status 1 where anything of it was
    changed.
    """
    keys = read_public_keys(read_file(key)) if key else (_own_key(),)
    receipt = verify_receipt(read_file(file).decode(errors="replace"), keys)
    if notice:
        print_as_written(receipt_notice(receipt))
        return
    for line in receipt_lines(receipt):
        say(line)
    say("the signature is right: nothing of this receipt was changed")


def _own_key() -> PublicKey:
    try:
        return load_signing_key(load_settings()).public
    except KeyMissing as error:
        raise BadInput(
            f"{error}; or give the installation's public key with --key (encounter receipt key "
            "prints it)"
        ) from None


@app.command("key")
def show_key() -> None:
    """Print this installation's public key, to be kept by those who check receipts and audit
    checkpoints.
    """
    print_as_written(_own_key().model_dump_json(indent=1))


@app.command("list")
def show(as_json: Json = False) -> None:
    """All receipts in the audit bucket; what lies there and was not signed here is told apart."""
    from flows.cases.receipts import own_receipt

    env = environment()
    rows = []
    for item in env.store.list(object_key.AUDIT, object_key.receipts()):
        if env.audit_log.key is not None and own_receipt(env, item.key) is None:
            warn("not a receipt of this home's key:", item.key)
            continue
        case_id, _, name = item.key.removeprefix(object_key.receipts()).partition("/")
        rows.append({"case": case_id, "receipt": name, "stored_utc": item.last_modified})
    RECEIPTS.tell(rows, as_json)


@app.command("fetch")
def fetch(
    case_id: Annotated[str, typer.Argument(help="Case id.")],
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("out"),
) -> None:
    """Write a case's receipts to files, signed as they are."""
    store = environment().store
    found = store.list(object_key.AUDIT, object_key.receipts(case_id))
    if not found:
        raise NotFound(f"there is no receipt of a case {case_id}: encounter receipt list")
    for item in found:
        path = out / f"{case_id}-{item.key.rsplit('/', 1)[-1]}"
        try:
            data = store.get(object_key.AUDIT, item.key, at_most=MAX_CHARS)
        except BadInput as error:
            warn("not a receipt:", str(error))
            continue
        write_private(path, data)
        say(f"written to {path}; check it with: encounter receipt verify {path}")
