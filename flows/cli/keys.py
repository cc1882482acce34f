"""`encounter keys` and `encounter site`: signing keys, trusted keys, cameras."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from data_contracts.authorisation import TrustedKey
from data_contracts.errors import BadInput, NotAuthorised
from data_contracts.time import now_utc, parse_utc
from flows.cli import master_keys
from flows.cli.console import read_file, read_json, say, write_private, write_whole
from flows.cli.listing import Column, Json, Listing
from tasks.consent.grant_token import generate_key, read_trusted_keys, revoked

if TYPE_CHECKING:
    from data_contracts.key_list import SignedKeyList
    from flows.runtime.environment import Environment


class RoleName(StrEnum):
    """What a person may sign."""

    consent = "consent"
    approval = "approval"
    administrator = "administrator"


app = typer.Typer(
    help="Signing keys of the people who sign consents and approvals.", no_args_is_help=True
)
root_app = typer.Typer(help="The root of all trusted keys.", no_args_is_help=True)
app.add_typer(root_app, name="root")
KEYS = Listing(
    "keys list",
    (
        Column("key_id", "key", lambda key_id: str(key_id)[:12]),
        Column("person", "person"),
        Column("roles", "may sign", ", ".join),
        Column("revoked_utc", "revoked"),
    ),
)


@app.command("new")
def new(
    person: Annotated[str, typer.Argument(help="Whose key it is, such as a staff number.")],
    role: Annotated[
        list[RoleName], typer.Option(help="What this person may sign; repeat for both.")
    ],
    out: Annotated[
        Path,
        typer.Option(help="File for the private key; the public one goes beside it as .pub.json."),
    ],
) -> None:
    """Make an Ed25519 key pair for one person. The private file stays with that person."""
    private, public = generate_key(person, tuple(r.value for r in role))
    write_private(out, json.dumps(private, indent=1).encode())
    write_private(public_path(out), public.model_dump_json(indent=1).encode())
    say(
        f"private key {out}\npublic key  {public_path(out)}  (an administrator adds it: encounter "
        "keys add)"
    )


def public_path(private: Path) -> Path:
    """Where the public half of a key file lies."""
    return private.with_suffix(".pub.json")


Signers = Annotated[
    list[Path] | None,
    typer.Option("--key", help="Private key of an administrator or the root; repeat."),
]
Proposal = Annotated[
    Path | None,
    typer.Option(help="Write the change here, for another administrator: encounter keys sign."),
]


@root_app.command("new")
def new_root_key(
    out: Annotated[Path, typer.Option(help="File for the private key; keep it offline.")],
) -> None:
    """Make the root of all trusted keys and pin its public half in this home."""
    from flows.cases.key_changes import new_root
    from infra.settings import load_settings

    settings = load_settings()
    if out.exists():
        raise BadInput(f"{out} exists already: name another file, or remove it first")
    private = new_root(settings)
    write_private(out, json.dumps(private, indent=1).encode())
    say(
        f"private key {out}: move it to a place offline; whoever has it decides who is trusted\n"
        f'pinned here; on every other machine set  keys.root_public = "{private["x"]}"'
    )


@app.command("add")
def add(
    files: Annotated[list[Path], typer.Argument(help="Public key files (*.pub.json).")],
    key: Signers = None,
    proposal_file: Proposal = None,
) -> None:
    """Add keys to the list of trusted keys; all others stay."""
    from flows.cases.key_changes import listed_keys, with_added
    from flows.runtime.environment import environment

    env = environment()
    _change_list(env, with_added(listed_keys(env), _read_keys(files)), key, proposal_file)


@app.command("publish")
def publish(
    files: Annotated[
        list[Path], typer.Argument(help="Public key files (*.pub.json), or one trusted-keys file.")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Revoke the listed keys that are not named.")
    ] = False,
    key: Signers = None,
    proposal_file: Proposal = None,
) -> None:
    """Make the list of trusted keys these and no others: the others are revoked, for good."""
    from flows.cases.key_changes import listed_keys, with_added
    from flows.runtime.environment import environment

    new = _read_keys(files)
    env = environment()
    named = {k.key_id for k in new}
    now = now_utc()
    others = [k for k in listed_keys(env) if k.key_id not in named and k.revoked_utc is None]
    if others and not replace:
        raise BadInput(
            f"this would revoke {len(others)} keys for good, and stop every case that they signed "
            f"for: {', '.join(f'{k.key_id[:12]} ({k.person})' for k in others)}. Add keys with "
            "encounter keys add, or repeat with --replace"
        )
    gone = {k.key_id for k in others}
    kept = [
        k.model_copy(update={"revoked_utc": now}) if k.key_id in gone else k
        for k in listed_keys(env)
    ]
    _change_list(env, with_added(kept, new), key, proposal_file)


# A thumbprint in base64url may begin with a hyphen, as an option does; with an h in it, it would
# ask for help, and nothing would be revoked.
_KEY_ID_FIRST = {"ignore_unknown_options": True, "help_option_names": ["--help"]}


@app.command("revoke", context_settings=_KEY_ID_FIRST)
def revoke(
    key_id: Annotated[
        str, typer.Argument(help="The key, or its first characters; see encounter keys list.")
    ],
    at: Annotated[
        str | None, typer.Option(help="From when on, ISO 8601 with offset; default now.")
    ] = None,
    key: Signers = None,
    proposal_file: Proposal = None,
) -> None:
    """Revoke a key, for good: nothing it ever signed counts from then on. Its entry stays, so that
    refusals can say why.
    """
    from flows.runtime.environment import environment, trusted_keys

    env = environment()
    keys = revoked(trusted_keys(env), key_id, parse_utc(at, "--at") if at else now_utc())
    if _change_list(env, keys.keys, key, proposal_file):
        say("running cases that it signed for stop within seconds")


@app.command("sign")
def sign(
    change: Annotated[Path, typer.Argument(help="A change that was written with --proposal-file.")],
    key: Annotated[list[Path], typer.Option("--key", help="Private key of the signer; repeat.")],
) -> None:
    """Sign another administrator's change after reading it; it is published when it has all
    signatures, else written back.
    """
    from data_contracts.key_list import SignedKeyList
    from flows.cases.key_changes import listed_keys
    from flows.runtime.environment import environment
    from tasks.consent.key_list import add_signature

    try:
        signed = SignedKeyList.model_validate_json(read_file(change))
    except ValidationError:
        raise BadInput(f"{change}: expected a change written with --proposal-file") from None
    env = environment()
    before = {k.key_id: k for k in listed_keys(env)}
    for entry in signed.version.keys:
        if before.get(entry.key_id) != entry:
            what = "revokes" if entry.key_id in before else "adds"
            say(f"{what} {entry.key_id[:12]} {entry.person}: {', '.join(entry.roles)}")
    for path in key:
        signed = add_signature(signed, read_json(path))
    _publish_signed(env, signed, change)


def _read_keys(files: list[Path]) -> list[TrustedKey]:
    keys: list[TrustedKey] = []
    for path in files:
        given = read_json(path)
        many = given if isinstance(given, dict) and "keys" in given else {"keys": [given]}
        keys += read_trusted_keys(json.dumps(many)).keys
    return keys


def _change_list(
    env: Environment, keys: Sequence[TrustedKey], signers: list[Path] | None, out: Path | None
) -> bool:
    """Propose, sign, publish; whether it is published."""
    from flows.cases.key_changes import demo_root, proposal

    own = demo_root(env.settings)
    private = [read_json(path) for path in signers or ()] or ([own] if own else [])
    if not private:
        raise BadInput("--key: who signs this change? Give an administrator's key or the root's")
    return _publish_signed(env, proposal(env, keys, private), out)


def _publish_signed(env: Environment, signed: SignedKeyList, out: Path | None) -> bool:
    from flows.cases.key_changes import publish_list

    try:
        version = publish_list(env, signed)
    except NotAuthorised as refusal:
        if out is None or "must be signed" not in str(refusal):
            raise
        write_whole(out, signed.model_dump_json(indent=1).encode())
        say(f"not published yet ({refusal}): another administrator runs  encounter keys sign {out}")
        return False
    live = sum(k.revoked_utc is None for k in version.keys)
    say(f"version {version.number} of the list is published: {live} keys are trusted now")
    return True


@app.command("list")
def show(as_json: Json = False) -> None:
    """The keys that this site trusts."""
    from flows.cases.key_changes import listed_keys
    from flows.runtime.environment import environment

    KEYS.tell((vars(key) for key in listed_keys(environment())), as_json)


app.command("master")(master_keys.show)
app.command("rotate-master")(master_keys.rotate)
