"""Tracks of all cameras of a site: each camera's own, then what the other views say of them: whose
they are, and how tall somebody is."""

from __future__ import annotations

import pandas as pd

from data_contracts.camera import Camera, Site
from data_contracts.record import Record
from data_contracts.tables.contracts import TRACKS
from tasks.ground.position import Locator
from tasks.people.exchanged import ExchangeSettings, uncross
from tasks.people.other_view import OtherViewSettings, settle_heights
from tasks.people.seen_feet import SeenFeetSettings, settle_short_and_tall
from tasks.people.switched import SwitchSettings, cut_switched
from tasks.people.track import TrackSettings, track


class SiteTrackSettings(Record):
    """How a site's cameras are tracked together."""

    track: TrackSettings = TrackSettings()
    exchanges: ExchangeSettings = ExchangeSettings()
    switches: SwitchSettings = SwitchSettings()
    feet: SeenFeetSettings = SeenFeetSettings()
    views: OtherViewSettings = OtherViewSettings()


def track_site(
    detections: pd.DataFrame, site: Site, settings: SiteTrackSettings | None = None
) -> pd.DataFrame:
    """TRACKS of all cameras from DETECTIONS."""
    settings = settings or SiteTrackSettings()
    by_camera = track_cameras(detections, site, settings)
    return settle(mend(by_camera, site, settings), site, settings)


def track_cameras(
    detections: pd.DataFrame, site: Site, settings: SiteTrackSettings
) -> list[pd.DataFrame]:
    """TRACKS of each camera by itself; of those that saw somebody."""
    by_camera = [
        track(rows.reset_index(drop=True), site.by_id[str(camera)], settings.track)
        for camera, rows in detections.groupby("camera_id")
    ]
    return [t for t in by_camera if len(t)]


def mend(
    by_camera: list[pd.DataFrame],
    site: Site,
    settings: SiteTrackSettings,
    told: pd.DataFrame | None = None,
) -> list[pd.DataFrame]:
    """TRACKS of each camera, mended where its own went over to somebody else.

    `told`: what is known of who is the subject (`tasks.people.told`).
    """
    return [
        uncross(own, _locator(site.by_id[str(own["camera_id"].iloc[0])]), settings.exchanges, told)
        for own in by_camera
    ]


def settle(by_camera: list[pd.DataFrame], site: Site, settings: SiteTrackSettings) -> pd.DataFrame:
    """TRACKS of all cameras, by what each says of the others'."""
    if not by_camera:
        return TRACKS.empty()
    tracks = cut_switched(pd.concat(by_camera, ignore_index=True), site, settings.switches)
    tracks = settle_short_and_tall(tracks, site, settings.feet)
    return settle_heights(tracks, site, settings.views)


def _locator(camera: Camera) -> Locator | None:
    return None if camera.homography is None else Locator(camera)
