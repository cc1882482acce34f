"""`encounter desk`: the desk in the browser; its accounts; who sees a case."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from data_contracts.errors import BadInput, StackError
from flows.cli.console import say
from flows.cli.listing import Column, Json, Listing
from flows.desk.accounts import Accounts
from flows.runtime.acting import Acting
from infra.settings import load_settings

app = typer.Typer(
    help="The desk in the browser: run it, its accounts, who sees a case.",
    invoke_without_command=True,
)
account_app = typer.Typer(help="Accounts, one a person.", no_args_is_help=True)
app.add_typer(account_app, name="account")

Name = Annotated[str, typer.Argument(help="Whose account it is, such as a staff number.")]
Own = Annotated[
    bool, typer.Option("--own", help="Read the password from standard input, not make one.")
]
Roles = Annotated[
    list[str],
    typer.Option(
        "--role",
        help="tracer, consent-officer, approver, reviewer, administrator or auditor; repeat.",
    ),
]
ACCOUNTS = Listing(
    "desk account list",
    (
        Column("account", "account"),
        Column("roles", "roles", ", ".join),
        Column("one_time_codes", "one-time codes"),
    ),
)


@app.callback()
def desk(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="Port; default: the stack's own, or a free one.")] = 0,
) -> None:
    """Run the desk alone, until interrupted. `encounter up` runs it beside the rest."""
    if context.invoked_subcommand is not None:
        return
    from flows.desk.server import serve
    from infra.held_file import hold
    from infra.local import desk_server, process
    from infra.stack_record import StackRecord, read_record

    settings = load_settings()
    record = read_record(settings.paths) or StackRecord()
    held = hold(settings.paths.held(desk_server.NAME))
    if held is None:
        raise StackError(f"the desk of this home runs already: {record.desk_url or 'elsewhere'}")
    wanted = {"desk": port or settings.stack.desk_port}
    chosen = process.choose_ports(wanted, record.ports, ())["desk"]
    with held:
        say(f"the desk  {desk_server.address(settings, chosen)}  (end it with Ctrl-C)")
        serve(chosen)


@account_app.command("add")
def add(
    name: Name,
    role: Roles,
    own: Own = False,
    subject: Annotated[
        str,
        typer.Option(help="Who this is at the provider of logins (its sub); then no password."),
    ] = "",
) -> None:
    """Make an account with roles. Its name goes into the audit log, as a pseudonym, with everything
    that it looks at and does.
    """
    if subject:
        issuer = load_settings().desk.provider.issuer
        if issuer is None:
            raise BadInput("--subject: no provider of logins is set: see desk.provider.issuer")
        _write_down(name, "account added")
        _accounts().add(name, role, subject=f"{issuer} {subject}")
        say(f"account {name} is made; it is opened through {issuer}")
        return
    _write_down(name, "account added")
    given = sys.stdin.readline().rstrip("\n") if own else None
    password = _accounts().add(name, role, given)
    say(f"account {name} is made")
    _tell_password(password if given is None else None)


@account_app.command("password")
def password(name: Name, own: Own = False) -> None:
    """Give an account a new password, and ask for one-time codes no more."""
    accounts = _accounts()
    accounts.get(name)
    _write_down(name, "password reset")
    given = sys.stdin.readline().rstrip("\n") if own else None
    word = accounts.set_password(name, given)
    accounts.set_totp(name, "")
    say(f"account {name} has a new password")
    _tell_password(word if given is None else None)


@account_app.command("roles")
def roles(name: Name, role: Roles) -> None:
    """Give an account these roles and no others; it counts at once."""
    accounts = _accounts()
    accounts.get(name)
    _write_down(name, "roles changed")
    accounts.set_roles(name, role)
    say(f"account {name}: {', '.join(accounts.get(name).roles)}")


@account_app.command("remove")
def remove(name: Name) -> None:
    """Take an account away; it counts at once."""
    accounts = _accounts()
    accounts.get(name)
    _write_down(name, "account removed")
    accounts.remove(name)
    say(f"account {name} is gone")


@account_app.command("list")
def show(as_json: Json = False) -> None:
    """Who has an account, in which roles."""
    rows = [
        {"account": a.name, "roles": list(a.roles), "one_time_codes": bool(a.totp)}
        for a in _accounts().all()
    ]
    if not rows and not as_json:
        say("nobody yet: encounter desk account add NAME --role administrator")
        return
    ACCOUNTS.tell(rows, as_json)


@account_app.command("link")
def link(name: Name) -> None:
    """A link that makes a browser known: it then need not wait while somebody tries passwords.

    The password is asked for all the same.
    """
    mark = _accounts().link(name)
    say(f"{load_settings().report_link_base.rstrip('/')}/device/{mark}")


@app.command("assign")
def assign_case(
    case_id: Annotated[str, typer.Argument(help="Case id, such as K-2026-0042.")],
    names: Annotated[
        list[str] | None, typer.Argument(help="The accounts that see the case; none: nobody.")
    ] = None,
) -> None:
    """Say which accounts see a case, and no others."""
    from flows.cases.assignment import assign
    from flows.runtime.environment import environment

    accounts = _accounts()
    wanted = [accounts.get(name).name for name in names or ()]
    assign(environment(), case_id, wanted)
    say(f"case {case_id} is seen by: {', '.join(wanted) or 'nobody'}")


def _accounts() -> Accounts:
    return Accounts(load_settings().paths.desk_accounts_file)


def _write_down(name: str, what: str) -> None:
    """The change in the audit log, before it is made."""
    from flows.runtime.audit import audit, pseudonym
    from flows.runtime.environment import environment

    env = environment()
    who = pseudonym(Acting("account", name, "tracer"), env.audit_log.key)
    audit(env, "configure", objects=(who,), reason=f"desk: {what}")


def _tell_password(made: str | None) -> None:
    if made is not None:
        say(f"password  {made}  (shown once; hand it over to that person, who must change it)")
