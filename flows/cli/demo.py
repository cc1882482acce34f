"""`encounter demo`: the main job, end to end, on the synthetic site that ships with the project."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from data_contracts import object_key
from data_contracts.camera import MAX_BYTES
from data_contracts.errors import BadInput, NotFound
from flows.cases.filing import file_case
from flows.cases.key_changes import ensure_demo_root, listed_keys
from flows.cases.site_files import publish_site_file
from flows.cases.throwaway import is_throwaway, papers
from flows.cli import stack
from flows.cli.console import say
from flows.cli.ingest import load_folder
from flows.cli.models import pull_defaults
from flows.cli.request import read_references
from flows.cli.server import server_environment
from flows.cli.showing import print_contacts
from flows.cli.stack import ui_address
from flows.cli.waiting import wait_for
from flows.runtime.environment import Environment, environment
from flows.runtime.open_case import open_case
from flows.stages import publish
from flows.stages.published import choose_run
from tasks.artefacts.exports import REPORT
from tasks.search.itinerary import read_itinerary

SITE = stack.PROJECT / "demo"
_DEMO_BASIS = "demonstration on synthetic people"
app = typer.Typer()


@app.command("demo")
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the decrypted report.")] = Path("out"),
    policy: Annotated[
        str, typer.Option(help="Exposure policy; the footage is three minutes long.")
    ] = "demo-short",
) -> None:
    """Trace the demo case: models, local stack, footage, throw-away keys, consent, approval, case,
    report.
    """
    began = time.monotonic()
    if not (SITE / "cameras.geojson").exists():
        raise BadInput(f"{SITE}: the demo site is missing; run from a clone of the project")
    pull_defaults()
    stack.start()
    environment.cache_clear()
    env = server_environment()
    publish_demo_site(env)
    new, old = load_folder(SITE / "footage")
    say(f"footage: {new} segments loaded, {old} were there")
    case_id = f"DEMO-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    visits = read_itinerary((SITE / "itinerary.csv").read_text())
    started = file_case(
        env,
        papers(env, case_id, visits, read_references([SITE / "reference"]), policy, _DEMO_BASIS),
    )
    say(
        f"case {case_id} is filed with consent and approval by two made-up people; this demo plays "
        "them, the administrators and the root itself, which an installation never does"
    )
    say(f"Prefect UI: {ui_address(env.settings)}  ({stack.login_hint(env.settings)})")
    if started is None:
        raise BadInput("the Prefect server did not take the case; see encounter status")
    wait_for(started)
    case = open_case(case_id)
    run = choose_run(case.vault).run
    print_contacts(case.vault, run)
    folder = publish.fetch(case.vault, run, out / case_id)
    say(f"report  {(folder / REPORT).resolve()}")
    say(f"done in {time.monotonic() - began:.0f} s; stop with: encounter down")
    say(f"destroy the case with: encounter case close {case_id} --yes")


def publish_demo_site(env: Environment) -> None:
    """Publish the demo's cameras, unless the store is a site's own: then nothing of it is touched.

    The demo's signers are throw-away, and their keys join the store's trusted keys: in a store that
    is configured they would be strangers whose signature counts. Raises BadInput.
    """
    cameras = (SITE / "cameras.geojson").read_bytes()
    ensure_demo_root(env.settings)
    configured = []
    if _stored_object(env, object_key.CAMERAS) not in (None, cameras):
        configured.append("cameras that are not the demo's")
    if not all(map(is_throwaway, listed_keys(env))):
        configured.append("trusted keys of its own")
    if configured:
        raise BadInput(
            f"this store is a site's: it has {' and '.join(configured)}; nothing was changed. Run "
            "the demo in a home of its own: ENCOUNTER_HOME=./demo-home encounter demo"
        )
    publish_site_file(env, object_key.CAMERAS, cameras, "application/geo+json")


def _stored_object(env: Environment, key: str) -> bytes | None:
    try:
        return env.store.get(object_key.SITE, key, at_most=MAX_BYTES)
    except NotFound:
        return None
