"""`encounter up | down | status`: the local stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from data_contracts.errors import EncounterError
from flows.cli.audit import lock_line
from flows.cli.console import print_json, say, warn, working
from flows.cli.listing import Column, Json, Listing
from flows.runtime.alerts import register_alerts
from flows.runtime.prefect_api import use_server
from infra.key_source import ensure_master_keys
from infra.local import disk_room
from infra.local import stack as local
from infra.local.prefect_server import prefect_command
from infra.settings import Settings, load_settings
from infra.signing import ensure_signing_key, publish_public_key
from infra.stack_record import read_record
from infra.store import ObjectStore

up_app = typer.Typer()
down_app = typer.Typer()
status_app = typer.Typer()
PROCESSES = Listing(
    "status",
    (
        Column("part", "part"),
        Column("running", "state", lambda runs: "running" if runs else "stopped"),
        Column("where", "where"),
    ),
)
PROJECT = Path(__file__).resolve().parents[2]


def start(data: Path | None = None) -> Settings:
    """Start what is not running: object store, Prefect server, worker; buckets, master key and
    deployments with them.
    """
    from flows.cli.programs import PROGRAMS

    settings = load_settings()
    settings.paths.make()
    ensure_master_keys(settings)
    with working("starting the local stack") as tell:
        info = local.up(settings, data_dir=data, on_progress=tell, programs=PROGRAMS)
        settings = info.settings
        store = ObjectStore(settings.s3)
        store.ensure_buckets()
        publish_public_key(store, ensure_signing_key(settings))
        tell("registering the deployments")
        register(settings)
        use_server(settings)
        try:
            register_alerts(settings)
        except EncounterError as error:  # cases run without them
            warn("alerts:", str(error))
    return settings


def register(settings: Settings) -> None:
    """`prefect deploy --all`. Raises StackError with the last line of what it printed."""
    prefect_command(
        settings, "deploy", "--all", "--prefect-file", str(deployments_file()), cwd=PROJECT
    )


def deployments_file() -> Path:
    """prefect.yaml: inside the package of an installed wheel, else at the top of the clone."""
    packaged = PROJECT / "flows" / "prefect.yaml"
    return packaged if packaged.exists() else PROJECT / "prefect.yaml"


@up_app.command("up")
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
    say(f"desk          {settings.report_link_base}  ({accounts_line(settings)})")


def accounts_line(settings: Settings) -> str:
    """Who has an account, or how to make the first one."""
    from flows.desk.accounts import Accounts

    names = Accounts(settings.paths.desk_accounts_file).names()
    first = "encounter desk account add NAME --role administrator"
    return f"accounts: {', '.join(names)}" if names else first


def ui_address(settings: Settings) -> str:
    """The Prefect UI for a browser."""
    return (settings.prefect.api_url or "").removesuffix("/api")


def login_hint(settings: Settings) -> str:
    """Where the login for the Prefect UI is, without saying it."""
    record = read_record(settings.paths)
    if record is not None and settings.prefect.api_url == record.prefect_api_url:
        return f"login: {settings.paths.prefect_login_file}"
    return "login: your server's"


@down_app.command("down")
def down() -> None:
    """Stop the local stack; the data stay."""
    settings = load_settings()
    with working("stopping the local stack"):
        local.down(settings)
    say("stopped")


@status_app.command("status")
def status(as_json: Json = False) -> None:
    """What of the local stack is running, how much room its disks have, whether the store locks the
    audit log, and which cases' end is not finished.
    """
    settings = load_settings()
    rows = [
        {"part": row.name, "running": row.running, "where": row.address}
        for row in local.status(settings)
    ]
    rooms = disk_room.rooms(settings)
    locked, unfinished = _of_the_store()
    if as_json:
        told = {"audit_log_locked": locked, "unfinished_ends": unfinished}
        disks = [{**room._asdict(), "folder": str(room.folder)} for room in rooms]
        print_json({"parts": PROCESSES.records(rows), "disks": disks, **told})
        return
    PROCESSES.table(rows)
    for room in rooms:
        say(room.told(disk_room.warn_below_bytes(settings)), "disk:")
    text, label = lock_line(locked, settings.audit.lock_days)
    say(text, f"audit log: {label}".rstrip())
    for line in unfinished:
        say(line, "not finished:")


def _of_the_store() -> tuple[bool | None, list[str]]:
    """Whether the store locks the audit log, None where it cannot be asked; and what of the cases'
    ends is not finished.
    """
    from flows.cases.ending_environment import ending_environment
    from flows.cli.expire import unfinished_lines

    try:
        env = ending_environment()
        return env.audit_log.locked, unfinished_lines(env)
    except EncounterError:
        return None, []
