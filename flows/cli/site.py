"""`encounter site publish`: the site's camera file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from data_contracts import object_key
from flows.cases.cameras import CONTENT_TYPE, checked_site
from flows.cases.site_files import publish_site_file
from flows.cli.console import read_file, say
from flows.runtime.environment import environment

app = typer.Typer(help="The site's camera file.", no_args_is_help=True)


@app.command("publish")
def publish_site(
    cameras: Annotated[Path, typer.Argument(help="GeoJSON camera file; see docs/cameras.md.")],
) -> None:
    """Check and publish the site's camera file."""
    data = read_file(cameras)
    site = checked_site(data, cameras.name)
    publish_site_file(environment(), object_key.CAMERAS, data, CONTENT_TYPE)
    say(f"{len(site.cameras)} cameras published")
    for camera in site.cameras:
        if camera.homography is None:
            why = camera.calibration_fault or "it has no homography"
            say(why, f"{camera.camera_id} places no one:")
