"""`encounter consent` and `encounter approval`: signing and withdrawing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data_contracts.errors import BadInput, KeyMissing, StoreError
from data_contracts.time import now_utc, parse_utc
from flows.cli.console import read_file, read_json, read_text, say, write_private
from flows.cli.ending import Yes, end_case, tell
from flows.cli.shared_options import taking

if TYPE_CHECKING:
    from data_contracts.authorisation import Binding, Evidence, Limits, Role, TrustedKeys
    from data_contracts.camera import Site


class ScopeName(StrEnum):
    """Kinds of search."""

    face = "face"
    appearance = "appearance"


consent_app = typer.Typer(help="The subject's consent.", no_args_is_help=True)
approval_app = typer.Typer(help="The health authority's approval.", no_args_is_help=True)


@dataclass(frozen=True)
class GrantOptions:
    """What a consent and an approval both say, and what the signer signs with."""

    case: Annotated[str, typer.Option("--case", help="Case id.")]
    subject: Annotated[str, typer.Option(help="Pseudonym of the subject; never a name.")]
    key: Annotated[Path, typer.Option(help="The signer's private key file.")]
    out: Annotated[Path, typer.Option(help="File for the token.")]
    scope: Annotated[
        list[ScopeName], typer.Option("--scope", help="face, appearance; repeat for both.")
    ]
    camera: Annotated[
        list[str], typer.Option("--camera", help="Camera id; repeat. '*' means all of the site.")
    ]
    start: Annotated[
        str, typer.Option("--from", help="Start of the time searched, ISO 8601 with offset.")
    ]
    end: Annotated[str, typer.Option("--to", help="End of the time searched.")]
    basis: Annotated[
        str, typer.Option("--legal-basis", help="Legal basis, such as 'GDPR 9(2)(a)'.")
    ]
    itinerary: Annotated[Path, typer.Option(help="The itinerary as it will be filed (CSV).")]
    reference: Annotated[
        list[Path],
        typer.Option(
            "--reference", help="Reference picture or folder as it will be filed; repeat."
        ),
    ]
    onset: Annotated[str | None, typer.Option(help="Onset of symptoms, as it will be filed.")] = (
        None
    )
    sample: Annotated[str | None, typer.Option(help="Time of the positive sample, likewise.")] = (
        None
    )
    days: Annotated[
        float,
        typer.Option("--valid-days", min=0.01, max=120, help="Days until the token expires."),
    ] = 14.0
    site_file: Annotated[
        Path | None,
        typer.Option("--site", help="Camera file to check cameras by, where no store is at hand."),
    ] = None

    @cached_property
    def binding(self) -> Binding:
        """The window, pictures and itinerary that the grant is for."""
        if self.onset is None and self.sample is None:
            raise BadInput("--onset or --sample: a case needs an onset or a sample date")
        from flows.cli.request import read_references
        from tasks.consent.binding import bind
        from tasks.search.itinerary import read_itinerary

        return bind(
            read_itinerary(read_text(self.itinerary), self.itinerary.name),
            parse_utc(self.onset, "--onset") if self.onset else None,
            parse_utc(self.sample, "--sample") if self.sample else None,
            read_references(self.reference),
        )

    def sign(
        self, role: Role, limits: Limits | None = None, evidence: Evidence | None = None
    ) -> None:
        """Check against what this machine can ask (the store's cameras and trusted keys, the
        settings), sign and write.
        """
        from flows.cases.signing import sign_draft
        from infra.settings import load_settings
        from tasks.consent.grant_token import GrantDraft

        now = now_utc()
        draft = GrantDraft(
            role=role,
            case_id=self.case,
            subject=self.subject,
            scopes=tuple(s.value for s in self.scope),
            cameras=tuple(self.camera),
            from_utc=parse_utc(self.start, "--from"),
            to_utc=parse_utc(self.end, "--to"),
            legal_basis=self.basis,
            expires_utc=now + timedelta(days=self.days),
            binding=self.binding,
            limits=limits,
            evidence=evidence,
        )
        most = load_settings().grants
        token = sign_draft(draft, read_json(self.key), now, most, *self._known_here())
        write_private(self.out, token.encode())
        say(
            f"{role} for case {self.case} written to {self.out}; valid for {self.days:g} days, "
            f"for {len(draft.binding.pictures)} pictures"
        )

    def _known_here(self) -> tuple[Site | None, TrustedKeys | None]:
        """The cameras and trusted keys to check by; None where this machine has no store to ask."""
        from data_contracts.camera import read_site
        from flows.runtime.environment import environment, site, trusted_keys

        file = self.site_file
        cameras = read_site(read_file(file), file.name) if file else None
        trusted = None
        try:
            env = environment()
            cameras = cameras or site(env)
            trusted = trusted_keys(env)
        except (StoreError, KeyMissing, BadInput) as error:
            say(str(error), "not all could be checked here:")
        return cameras, trusted


@consent_app.command("sign")
@taking(GrantOptions)
def sign_consent(
    grant: GrantOptions,
    form: Annotated[
        Path | None, typer.Option(help="Scan of the form that the subject signed.")
    ] = None,
    subject_key: Annotated[
        Path | None, typer.Option(help="The subject's own private key, where they have one.")
    ] = None,
) -> None:
    """Sign the subject's consent: which searches, on which cameras, for which time, until when, for
    which pictures and itinerary.
    """
    grant.sign("consent", evidence=_evidence_of(grant, form, subject_key))


def _evidence_of(
    grant: GrantOptions, form: Path | None, subject_key: Path | None
) -> Evidence | None:
    from data_contracts.authorisation import Evidence
    from tasks.consent.evidence import form_evidence, sign_as_subject

    parts: dict[str, Any] = {}
    if form is not None:
        parts |= form_evidence(grant.binding, read_file(form)).model_dump(exclude_none=True)
    if subject_key is not None:
        signed = sign_as_subject(read_json(subject_key), grant.case, grant.binding)
        parts |= signed.model_dump(exclude_none=True)
    return Evidence.model_validate(parts) if parts else None


@approval_app.command("sign")
@taking(GrantOptions)
def sign_approval(
    grant: GrantOptions,
    max_cameras: Annotated[
        int | None, typer.Option(help="Cameras that may be looked at; default: grants.cameras.")
    ] = None,
    max_runs: Annotated[
        int | None, typer.Option(help="Runs that may read footage; default: grants.runs.")
    ] = None,
) -> None:
    """Sign the health authority's approval; the signer must be another person than the
    consent's.
    """
    from infra.settings import load_settings

    most = load_settings().grants
    asked = {"cameras": max_cameras or most.cameras, "runs": max_runs or most.runs}
    grant.sign("approval", limits=most.model_copy(update=asked))


@consent_app.command("receipt")
def receipt(
    case: Annotated[str, typer.Argument(help="Case id.")],
    controller: Annotated[str, typer.Option(help="Who searches: the authority's name.")],
    address: Annotated[str, typer.Option(help="Its postal address.")],
    contact: Annotated[str, typer.Option(help="Where the subject withdraws: address or number.")],
    jurisdiction: Annotated[str, typer.Option(help="Country, such as KR.")],
    out: Annotated[Path, typer.Option(help="File for the receipt (JSON-LD).")],
) -> None:
    """The subject's receipt of their consent: what was agreed to, and how to withdraw."""
    from flows.runtime.audit import audit
    from flows.runtime.environment import environment
    from flows.runtime.open_case import open_case
    from tasks.consent.consent_receipt import Controller, consent_receipt

    env = environment()
    consent = open_case(case, env).authorised.consent
    who = Controller(name=controller, address=address, jurisdiction=jurisdiction, contact=contact)
    audit(env, "export", case_id=case, objects=("consent receipt",))
    text = json.dumps(consent_receipt(consent, who), indent=1, ensure_ascii=False)
    write_private(out, text.encode())
    say(f"receipt written to {out}; give it to the subject")


@consent_app.command("withdraw")
def withdraw(case: Annotated[str, typer.Argument(help="Case id.")], yes: Yes = False) -> None:
    """Withdraw consent: running work stops at its next step, and the case is destroyed. Without
    --yes: what would go.
    """
    from flows.cases.ending_environment import ending_environment
    from flows.cases.withdraw import withdraw_case
    from flows.runtime.prefect_api import use_server
    from tasks.ending.purge import WITHDRAWN

    if not yes:
        end_case(case, WITHDRAWN, yes=False)
        return
    env = ending_environment()
    use_server(env.settings)
    tell(withdraw_case(env, case))
