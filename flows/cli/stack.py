"""`encounter up | down | status`: the local stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from data_contracts.errors import EncounterError
from flows.cases.ending_environment import ending_environment
from flows.cli.audit import lock_line
from flows.cli.console import console, say
from flows.cli.expire import tell_unfinished
from flows.programs import prefect_server, worker
from flows.runtime.prefect_api import use_server
from flows.viewer import server as viewer
from flows.viewer.accounts import Accounts
from infra.key_source import ensure_master_keys
from infra.local import stack as local
from infra.local.prefect_server import prefect_command
from infra.settings import Settings, load_settings
from infra.signing import ensure_signing_key, publish_public_key
from infra.stack_record import read_record
from infra.store import ObjectStore

PROJECT = Path(__file__).resolve().parents[2]
PROGRAMS = local.Programs(
    prefect=prefect_server.command, worker=worker.command, viewer=viewer.command
)


def start(data: Path | None = None) -> Settings:
    """Start what is not running: object store, Prefect server, worker; buckets, master key and
    deployments with them.
    """
    settings = load_settings()
    settings.paths.make()
    ensure_master_keys(settings)
    with console.status("starting the local stack") as status:
        info = local.up(
            settings,
            data_dir=data,
            on_progress=lambda text: status.update(text),
            programs=PROGRAMS,
        )
        settings = info.settings
        store = ObjectStore(settings.s3)
        store.ensure_buckets()
        publish_public_key(store, ensure_signing_key(settings))
        status.update("registering the deployments")
        register(settings)
    use_server(settings)
    return settings


def register(settings: Settings) -> None:
    """`prefect deploy --all`. Raises StackError with the last line of what it printed."""
    prefect_command(settings, "deploy", "--all", cwd=PROJECT)


def up(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder for the object store's data; default inside the home."),
    ] = None,
) -> None:
    """Start the local stack on loopback: S3 server, Prefect server and a worker. A second call
    finds them running.
    """
    settings = start(data)
    say(
        f"object store  http://{settings.s3.endpoint}  (credentials: "
        f"{settings.home / 'stack.json'})"
    )
    say(f"Prefect UI    {ui_address(settings)}  ({login_hint(settings)})")
    say(f"reports       {settings.report_link_base}  ({accounts_line(settings)})")


def accounts_line(settings: Settings) -> str:
    """Who may open reports, or how to let the first one."""
    names = Accounts(settings.paths.viewer_accounts_file).names()
    return f"accounts: {', '.join(names)}" if names else "encounter viewer account add NAME"


def ui_address(settings: Settings) -> str:
    """The Prefect UI for a browser."""
    return (settings.prefect.api_url or "").removesuffix("/api")


def login_hint(settings: Settings) -> str:
    """Where the login for the Prefect UI is, without saying it."""
    record = read_record(settings.paths)
    if record is not None and settings.prefect.api_url == record.prefect_api_url:
        return f"login: {settings.paths.prefect_login_file}"
    return "login: your server's"


def down() -> None:
    """Stop the local stack; the data stay."""
    settings = load_settings()
    with console.status("stopping the local stack"):
        local.down(settings)
    say("stopped")


def status() -> None:
    """What of the local stack is running, whether the store locks the audit log, and which cases'
    end is not finished.
    """
    table = Table("part", "state", "where")
    for row in local.status(load_settings()):
        table.add_row(row.name, "running" if row.running else "stopped", row.address or "")
    console.print(table)
    try:
        env = ending_environment()
        say(f"audit log: {lock_line(env)}")
        tell_unfinished(env)
    except EncounterError:
        say("audit log: the object store cannot be asked")
