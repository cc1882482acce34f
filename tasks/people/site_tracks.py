"""Tracks of all cameras of a site: each camera's own, then what the other views say of them: whose
they are, and how tall somebody is."""

from __future__ import annotations

import pandas as pd

from data_contracts.camera import Site
from data_contracts.tables.contracts import TRACKS
from tasks.people.other_view import OtherViewSettings, settle_heights
from tasks.people.switched import SwitchSettings, cut_switched
from tasks.people.track import TrackSettings, track


def track_site(
    detections: pd.DataFrame,
    site: Site,
    settings: TrackSettings | None = None,
    views: OtherViewSettings | None = None,
    switches: SwitchSettings | None = None,
) -> pd.DataFrame:
    """TRACKS of all cameras from DETECTIONS."""
    by_camera = [
        track(rows.reset_index(drop=True), site.by_id[str(camera)], settings)
        for camera, rows in detections.groupby("camera_id")
    ]
    found = [t for t in by_camera if len(t)]
    if not found:
        return TRACKS.empty()
    tracks = cut_switched(pd.concat(found, ignore_index=True), site, switches)
    return settle_heights(tracks, site, views)
