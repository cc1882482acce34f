"""`encounter case expire`: a pass of purge-expired by hand, with a person's word where it waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.console import say

if TYPE_CHECKING:
    from flows.runtime.environment import Environment


def expire(
    despite_clock: Annotated[
        bool, typer.Option("--despite-clock", help="This machine's clock is right.")
    ] = False,
    despite_number: Annotated[
        bool, typer.Option("--despite-number", help="So many cases at once are to go.")
    ] = False,
) -> None:
    """Destroy the cases whose time has come, as purge-expired does every five minutes, and finish
    what was broken off. Says which cases failed, and at which step.
    """
    from data_contracts.time import now_utc
    from flows.cases import expiry
    from flows.cases.attempt import attempt
    from flows.cases.ending_environment import ending_environment
    from flows.cases.expiry import Word
    from flows.runtime.audit import audit
    from flows.runtime.prefect_api import use_server

    env = ending_environment()
    use_server(env.settings)
    word = Word(despite_clock=despite_clock, despite_number=despite_number)
    if word != Word():
        said = " and ".join(name for name, given in word.model_dump().items() if given)
        attempt(lambda: audit(env, "configure", reason=f"cases expire {said}, by a person"), None)
    planned = expiry.plan_pass(env, now_utc(), word)
    ended = expiry.end_doomed(env, planned)
    say(f"{ended.done} cases destroyed")
    expiry.conclude(ended.done, (planned, ended))


def unfinished_lines(env: Environment) -> list[str]:
    """A line for each case whose end is not finished, and one where expired cases wait."""
    from flows.cases import clock
    from flows.cases.unfinished import unfinished_ends

    waits = clock.last_pass(env).waits
    return [*([waits] if waits else []), *map(str, unfinished_ends(env))]
