"""`encounter viewer account`: who may open reports in the browser."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from flows.cli.console import say
from flows.viewer.accounts import Accounts
from infra.settings import load_settings

app = typer.Typer(help="The reports' page.", no_args_is_help=True)
account_app = typer.Typer(help="Accounts of reviewers, one a person.", no_args_is_help=True)
app.add_typer(account_app, name="account")

Name = Annotated[str, typer.Argument(help="Whose account it is, such as a staff number.")]


@account_app.command("add")
def add(
    name: Name,
    own: Annotated[
        bool, typer.Option("--own", help="Read the password from standard input, not make one.")
    ] = False,
) -> None:
    """Make an account, or give it a new password. The name goes into the audit log, as a
    pseudonym, with each report that is opened.
    """
    given = sys.stdin.readline().rstrip("\n") if own else None
    password = _viewer_accounts().add(name, given)
    say(f"account {name} may open reports")
    if given is None:
        say(f"password  {password}  (shown once; hand it over to that person alone)")


@account_app.command("remove")
def remove(name: Name) -> None:
    """Take an account away; it counts at once."""
    _viewer_accounts().remove(name)
    say(f"account {name} is gone")


@account_app.command("list")
def show() -> None:
    """Who has an account."""
    names = _viewer_accounts().names()
    say("\n".join(names) if names else "nobody yet: encounter viewer account add NAME")


@account_app.command("link")
def link(name: Name) -> None:
    """A link that makes a browser known: it then need not wait while somebody tries passwords.

    The password is asked for all the same.
    """
    mark = _viewer_accounts().link(name)
    say(f"{load_settings().report_link_base.rstrip('/')}/device/{mark}")


def _viewer_accounts() -> Accounts:
    return Accounts(load_settings().paths.viewer_accounts_file)
