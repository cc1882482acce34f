"""`encounter keys` and `encounter site`: signing keys, trusted keys, cameras."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from data_contracts import object_key
from data_contracts.authorisation import TrustedKey, TrustedKeys
from data_contracts.camera import read_site
from data_contracts.time import now_utc, parse_utc
from flows.cases.site_files import publish_site_file
from flows.cli.console import console, read_file, read_json, say, write_private
from flows.runtime.environment import environment, trusted_keys
from tasks.consent.grant_token import generate_key, read_trusted_keys, revoked


class RoleName(StrEnum):
    """What a person may sign."""

    consent = "consent"
    approval = "approval"


app = typer.Typer(
    help="Signing keys of the people who sign consents and approvals.", no_args_is_help=True
)
site_app = typer.Typer(help="The site's camera file.", no_args_is_help=True)


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
        "keys publish)"
    )


def public_path(private: Path) -> Path:
    """Where the public half of a key file lies."""
    return private.with_suffix(".pub.json")


@app.command("publish")
def publish(
    files: Annotated[
        list[Path], typer.Argument(help="Public key files (*.pub.json), or one trusted-keys file.")
    ],
) -> None:
    """Publish the public keys that this site trusts; replaces the present list."""
    keys: list[TrustedKey] = []
    for path in files:
        given = read_json(path)
        many = given if isinstance(given, dict) and "keys" in given else {"keys": [given]}
        keys += read_trusted_keys(json.dumps(many)).keys
    data = TrustedKeys(keys=tuple(keys)).model_dump_json(indent=1).encode()
    publish_site_file(environment(), object_key.TRUSTED_KEYS, data, "application/json")
    say(f"{len(keys)} keys are trusted now")


# A thumbprint in base64url may begin with a hyphen, as an option does.
@app.command("revoke", context_settings={"ignore_unknown_options": True})
def revoke(
    key_id: Annotated[
        str, typer.Argument(help="The key, or its first characters; see encounter keys list.")
    ],
    at: Annotated[
        str | None, typer.Option(help="From when on, ISO 8601 with offset; default now.")
    ] = None,
) -> None:
    """Revoke a key: nothing it ever signed counts from then on. Its entry stays, so that refusals
    can say why.
    """
    env = environment()
    keys = revoked(trusted_keys(env), key_id, parse_utc(at, "--at") if at else now_utc())
    publish_site_file(
        env, object_key.TRUSTED_KEYS, keys.model_dump_json(indent=1).encode(), "application/json"
    )
    say("revoked; running cases that it signed for stop within seconds")


@app.command("list")
def show() -> None:
    """The keys that this site trusts."""
    table = Table("key", "person", "may sign", "revoked")
    for key in trusted_keys(environment()).keys:
        table.add_row(key.key_id[:12], key.person, ", ".join(key.roles), str(key.revoked_utc or ""))
    console.print(table)


@site_app.command("publish")
def publish_site(
    cameras: Annotated[Path, typer.Argument(help="GeoJSON camera file; see docs/cameras.md.")],
) -> None:
    """Check and publish the site's camera file."""
    data = read_file(cameras)
    site = read_site(data, cameras.name)
    publish_site_file(environment(), object_key.CAMERAS, data, "application/geo+json")
    say(f"{len(site.cameras)} cameras published")
    for camera in site.cameras:
        if camera.homography is None:
            say(
                f"[yellow]{camera.camera_id} places no one:[/] "
                f"{camera.calibration_fault or 'it has no homography'}"
            )
