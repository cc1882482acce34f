"""`encounter keys master` and `encounter keys rotate-master`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from flows.cli.console import say, warn
from flows.cli.listing import Column, Json, Listing

if TYPE_CHECKING:
    from flows.cases.rotate_master import Rotation

MASTER_KEYS = Listing(
    "keys master",
    (
        Column("key_id", "master key", lambda key_id: str(key_id)[:32]),
        Column("state", "state"),
        Column("cases", "cases"),
    ),
)


def show(as_json: Json = False) -> None:
    """The master keys of this installation and how many cases lie under each."""
    from flows.cases.rotate_master import holdings
    from flows.runtime.environment import environment

    env = environment()
    found = holdings(env.cases)
    rows = []
    for number, key in enumerate(env.cases.keys.read()):
        state = "wraps" if number == 0 else "old, being rotated away"
        cases = found.cases.pop(key.key_id, 0)
        rows.append({"key_id": key.key_id, "state": state, "cases": cases})
    for key_id, cases in sorted(found.cases.items()):
        rows.append({"key_id": key_id, "state": "not here", "cases": cases})
    MASTER_KEYS.tell(rows, as_json)
    _tell_unreadable(found.unreadable)


def rotate() -> None:
    """Make a new master key, wrap every case's key with it, and destroy the old one.

    Cases go on meanwhile. If it is stopped, run it again: it goes on where it was.
    """
    from flows.cases.rotate_master import rotate_master
    from flows.runtime.environment import environment

    env = environment()
    done = rotate_master(env)
    say(f"{done.wrapped_anew} keys of cases are wrapped anew by master key {done.key_id}")
    for key_id in done.destroyed:
        say(f"old master key {key_id} is destroyed; a listing showed no case under it")
    if done.destroyed:
        say("back up the new master key and every case-key.json: older backups open nothing now")
    _tell_unreadable(done.unreadable)
    if done.kept:
        _tell_kept(done, env.cases.keys.by_hand)
        raise typer.Exit(0 if env.cases.keys.by_hand and not any(done.kept.values()) else 1)


def _tell_unreadable(cases: tuple[str, ...]) -> None:
    if cases:
        warn(
            "damaged:",
            f"the key record of {len(cases)} cases is damaged ({', '.join(cases[:5])}): restore "
            "case-key.json from a backup, or end them with `encounter case purge`, then run "
            "`encounter keys rotate-master` again",
        )


def _tell_kept(done: Rotation, by_hand: bool) -> None:
    for key_id, cases in done.kept.items():
        if by_hand and not cases and not done.unreadable:
            say(
                f"nothing is wrapped under {key_id} any more: take it out of ENCOUNTER_MASTER_KEY "
                "of every process and destroy it where it is kept"
            )
        else:
            say(f"old master key {key_id} is kept, {cases} cases lie under it: run this again")
