"""`encounter consent` and `encounter approval`: signing and withdrawing."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from data_contracts.authorisation import Role
from data_contracts.time import now_utc, parse_utc
from flows.cases.ending_environment import ending_environment
from flows.cases.withdraw import withdraw_case
from flows.cli.console import read_json, say, write_private
from flows.cli.ending import tell
from flows.runtime.prefect_api import use_server
from tasks.consent.grant_token import sign_grant


class ScopeName(StrEnum):
    """Kinds of search."""

    face = "face"
    appearance = "appearance"


consent_app = typer.Typer(help="The subject's consent.", no_args_is_help=True)
approval_app = typer.Typer(help="The health authority's approval.", no_args_is_help=True)

Case = Annotated[str, typer.Option("--case", help="Case id.")]
Subject = Annotated[str, typer.Option(help="Pseudonym of the subject; never a name.")]
Key = Annotated[Path, typer.Option(help="The signer's private key file.")]
Out = Annotated[Path, typer.Option(help="File for the token.")]
Scopes = Annotated[
    list[ScopeName], typer.Option("--scope", help="face, appearance; repeat for both.")
]
Cameras = Annotated[
    list[str], typer.Option("--camera", help="Camera id; repeat. '*' means all of the site.")
]
From = Annotated[
    str, typer.Option("--from", help="Start of the time searched, ISO 8601 with offset.")
]
To = Annotated[str, typer.Option("--to", help="End of the time searched.")]
Basis = Annotated[str, typer.Option("--legal-basis", help="Legal basis, such as 'GDPR 9(2)(a)'.")]
Days = Annotated[
    float, typer.Option("--valid-days", min=0.01, max=3660, help="Days until the token expires.")
]


def _sign(
    role: Role,
    case: str,
    subject: str,
    key: Path,
    out: Path,
    scope: list[ScopeName],
    camera: list[str],
    start: str,
    end: str,
    basis: str,
    days: float,
) -> None:
    now = now_utc()
    token = sign_grant(
        read_json(key),
        role,
        case_id=case,
        subject=subject,
        scopes=tuple(s.value for s in scope),
        cameras=tuple(camera),
        from_utc=parse_utc(start, "--from"),
        to_utc=parse_utc(end, "--to"),
        legal_basis=basis,
        expires_utc=now + timedelta(days=days),
        now=now,
    )
    write_private(out, token.encode())
    say(f"{role} for case {case} written to {out}; valid for {days:g} days")


@consent_app.command("sign")
def sign_consent(
    case: Case,
    subject: Subject,
    key: Key,
    out: Out,
    scope: Scopes,
    camera: Cameras,
    start: From,
    end: To,
    basis: Basis,
    days: Days = 14.0,
) -> None:
    """Sign the subject's consent: which searches, on which cameras, for which time, until when."""
    _sign("consent", case, subject, key, out, scope, camera, start, end, basis, days)


@approval_app.command("sign")
def sign_approval(
    case: Case,
    subject: Subject,
    key: Key,
    out: Out,
    scope: Scopes,
    camera: Cameras,
    start: From,
    end: To,
    basis: Basis,
    days: Days = 14.0,
) -> None:
    """Sign the health authority's approval; the signer must be another person than the
    consent's.
    """
    _sign("approval", case, subject, key, out, scope, camera, start, end, basis, days)


@consent_app.command("withdraw")
def withdraw(case: Annotated[str, typer.Argument(help="Case id.")]) -> None:
    """Withdraw consent: running work stops at its next step, and the case is destroyed."""
    env = ending_environment()
    use_server(env.settings)
    tell(withdraw_case(env, case))
