"""`encounter case point`: the subject, or the tracer with them, says: this is me."""

from __future__ import annotations

from typing import Annotated

import typer

from data_contracts.time import parse_utc
from flows.cli.console import say


def point(
    case_id: Annotated[str, typer.Argument(help="Case id, such as K-2026-0042.")],
    camera: Annotated[str, typer.Option(help="Camera id.")],
    at: Annotated[str, typer.Option(help="Time of the picture, ISO 8601 with offset.")],
    x: Annotated[float, typer.Option(help="Pixel from the left, at the calibrated size.")],
    y: Annotated[float, typer.Option(help="Pixel from the top, at the calibrated size.")],
    also: Annotated[
        bool, typer.Option("--also", help="Keep what was pointed at before as well.")
    ] = False,
) -> None:
    """Point at the subject in a picture: the search by clothes and way starts there. Needs the
    appearance scope. Pointing again replaces what was pointed at before.
    """
    from flows.cases.point import point_at
    from flows.runtime.environment import environment

    made = point_at(environment(), case_id, camera, parse_utc(at, "--at"), (x, y), also)
    say(
        f"pointed at who stands at {made.x_px:g}, {made.y_px:g} of camera {camera}; run the case "
        f"again: encounter case run {case_id}"
    )
