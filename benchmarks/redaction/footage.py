"""What the redaction benchmark redacts: the project's own detections, tracks and sightings of a
site, with dropouts.

The case is authorised in memory with throw-away keys. The truth is not read here.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.truth import Subject, Truth
from data_contracts import object_key
from data_contracts.authorisation import AuthorisedCase, Role, TrustedKeys
from data_contracts.camera import Camera, Site, read_site
from data_contracts.case import CaseRequest, Scope
from data_contracts.errors import BadInput, EncounterError
from data_contracts.policy import SearchSettings
from data_contracts.tables.contracts import DETECTIONS, TRACKS
from data_contracts.time import now_utc
from models.registry import Models
from tasks.consent.authorise import authorise
from tasks.consent.binding import bind_request
from tasks.consent.grant_token import GrantDraft, generate_key, sign_grant
from tasks.footage.reading import frames
from tasks.footage.segment import SegmentInput
from tasks.footage.video import Source, probe, write_clip
from tasks.observe.follow import follow_segment
from tasks.observe.match import SubjectSearch
from tasks.observe.template import build_template
from tasks.people.everybody import everybody
from tasks.people.join import join
from tasks.redaction.hidden_people import SitePeople, with_unseen
from tasks.redaction.plan import surely
from tasks.redaction.redact import Detectors, Found, RedactSettings
from tasks.redaction.render import Segment

_DAY = timedelta(days=1)
_ROLES: tuple[Role, ...] = ("consent", "approval")
_NONE: Found = (np.zeros((0, 4)), np.zeros(0))


@dataclass(frozen=True)
class Footage:
    """A site's cameras and the (start, bytes) of each camera's segments."""

    site: Site
    segments: dict[str, list[Segment]]

    @property
    def cameras(self) -> list[str]:
        """Cameras that have footage, in order."""
        return sorted(self.segments)

    def near(self, camera: str, start: datetime, end: datetime) -> list[Segment]:
        """The segments of a camera that may hold frames of [start, end]: the last one begun before
        it, and those in it.
        """
        begun = [s.start_utc for s in self.segments[camera] if s.start_utc <= start]
        first = max(begun) if begun else start
        return [s for s in self.segments[camera] if first <= s.start_utc <= end]


def as_seen(image: np.ndarray, light: float, noise: float, seed: int) -> np.ndarray:
    """A picture (h, w, 3) under a share of the light, with a sensor's noise of this deviation in
    grey levels.
    """
    drawn = np.random.default_rng(seed).standard_normal(image.shape, np.float32)
    return np.clip(np.round(image * np.float32(light) + noise * drawn), 0, 255).astype(np.uint8)


class Degraded(NamedTuple):
    """Another light on the same scene: share of the light, and the sensor's noise in grey levels.

    The codec (CRF 20) keeps about all of such noise.
    """

    light: float
    noise: float

    def of(self, footage: Footage) -> Footage:
        """The whole footage as it would be recorded then, frame for frame; damaged segments as they
        are.
        """
        segments = {
            camera: [s._replace(data=self._segment(s.start_utc, s.data)) for s in parts]
            for camera, parts in footage.segments.items()
        }
        return Footage(footage.site, segments)

    def _segment(self, start: datetime, data: Source) -> Source:
        try:
            rate = probe(data).rate
            images = (
                as_seen(frame.image, self.light, self.noise, seed)
                for seed, frame in enumerate(frames(data, start))
            )
            return write_clip(images, rate)
        except EncounterError:
            return data


class Tracked(NamedTuple):
    """TRACKS of one camera as redaction gets them, and those that are surely the subject's,
    likeliest first.
    """

    tracks: pd.DataFrame
    subject: tuple[int, ...]


@dataclass(frozen=True)
class People(SitePeople):
    """Everybody on all cameras, with the sure rows of SIGHTINGS as the subject's."""

    def on(self, camera: Camera, settings: RedactSettings) -> Tracked:
        """What redaction gets of one camera, as the flow makes it (flows/stages/redact.py)."""
        rows = with_unseen(self, camera, settings)
        own = self.subject.loc[self.subject["camera_id"] == camera.camera_id, "track_id"]
        return Tracked(rows, tuple(int(t) for t in own))

    def without_bystanders(self, camera: Camera, site: Site) -> People:
        """The same where one camera tracks nobody but the subject; persons are joined anew from the
        other cameras.
        """
        mine = self.tracks["camera_id"] == camera.camera_id
        own = self.subject.loc[self.subject["camera_id"] == camera.camera_id, "track_id"]
        tracks = self.tracks[~mine | self.tracks["track_id"].isin(own)]
        persons, members = join(tracks, site, np.random.default_rng(0))
        return People(tracks, persons, members, self.subject)

    def alone(self) -> People:
        """The same where no camera tracks anybody but the subject."""
        own = set(zip(self.subject["camera_id"], self.subject["track_id"], strict=True))
        rows = [
            key in own
            for key in zip(self.tracks["camera_id"], self.tracks["track_id"], strict=True)
        ]
        return People(
            self.tracks[np.array(rows, bool)],
            self.persons.iloc[:0],
            self.members.iloc[:0],
            self.subject,
        )

    def nobody(self) -> People:
        """The same where nothing was ever detected."""
        return People(
            *(table.iloc[:0] for table in (self.tracks, self.persons, self.members, self.subject))
        )


def read_footage(folder: Path) -> Footage:
    """The cameras and segments of a site folder."""
    site = read_site((folder / "cameras.geojson").read_bytes())
    root = folder / "footage"
    out = {}
    for path in sorted(root.rglob("*.mp4")):
        name = object_key.read_segment(path.relative_to(root).as_posix())
        if name is not None and name.camera_id in site.by_id:
            out.setdefault(name.camera_id, []).append(Segment(name.start_utc, path.read_bytes()))
    if not out:
        raise BadInput(
            f"{root}: expected segments <camera>/<YYYY-MM-DD>/<HH>/<MM.SS>.mp4 of its cameras, "
            "found none"
        )
    return Footage(site, out)


def authorised(subject: Subject, scopes: tuple[Scope, ...] = ("face",)) -> AuthorisedCase:
    """A case of this subject, signed by two made-up people whose keys are kept nowhere."""
    first = min(v.from_utc for v in subject.itinerary)
    last = max(v.to_utc for v in subject.itinerary)
    now = now_utc()
    request = CaseRequest(
        case_id="BENCH-REDACTION",
        subject="subject-1",
        onset_utc=first,
        itinerary=subject.itinerary,
        policy="near-2m",
        reference_images=tuple(sorted(subject.references)),
        filed_utc=now,
    )
    keys = {role: generate_key(f"throw-away {role}", (role,)) for role in _ROLES}
    consent, approval = (
        sign_grant(
            private,
            GrantDraft(
                role=role,
                case_id=request.case_id,
                subject=request.subject,
                scopes=scopes,
                cameras=("*",),
                from_utc=first - _DAY,
                to_utc=last + _DAY,
                legal_basis="benchmark on synthetic people",
                expires_utc=now + _DAY,
                binding=bind_request(request, subject.references),
            ),
            now - timedelta(seconds=1),
        )
        for role, (private, _) in keys.items()
    )
    trusted = TrustedKeys(keys=tuple(public for _, public in keys.values()))
    return authorise(request, consent, approval, trusted, now, standing=lambda _grant: "usable")


def look(
    case: AuthorisedCase,
    footage: Footage,
    subject: Subject,
    models: Models,
    say: Callable[[str], None],
) -> pd.DataFrame:
    """DETECTIONS of the whole footage by the project's own following."""
    key = secrets.token_bytes(32)  # the case's key of a case that is nowhere stored
    template = build_template(
        case, subject.references, models, lambda salt: hmac.digest(key, salt, "sha256")
    )
    search = SubjectSearch(case, template, models, SearchSettings())
    tables = []
    for camera in footage.cameras:
        say(f"looking at {camera}")
        for start, data, _ in footage.segments[camera]:
            at = footage.site.by_id[camera]
            segment = SegmentInput(at, f"{camera}/{start:%H%M%S}", start, data)
            tables.append(follow_segment(segment, search).detections)
    return DETECTIONS.shape(pd.concat(tables, ignore_index=True))


def follow_people(case: AuthorisedCase, footage: Footage, detections: pd.DataFrame) -> People:
    """Tracks, persons and the subject's sightings, as the flow makes them
    (flows/stages/people.py).
    """
    tracks, persons, members, sightings = everybody(
        case, detections, footage.site, SearchSettings(), lambda: np.random.default_rng(0)
    )
    sure = surely(sightings).sort_values("probability", ascending=False, kind="stable")
    return People(tracks, persons, members, sure)


def truth_people(truth: Truth, site: Site, subject: str, dropout: Dropout | None = None) -> People:
    """The true boxes as tracks, everybody's number unrelated to the name; some lost where a dropout
    is given.

    Tracks have the true positions, so that persons are joined from them as from any.
    """
    boxes = truth.boxes[truth.boxes["footage"] == "ok"]
    numbers = {name: i + 1 for i, name in enumerate(sorted(set(boxes["person"])))}
    at = truth.people[["t_utc", "person", "x_m", "y_m"]]
    fixed = {"score": 0.8, "foot_hidden": False, "cov_xx": 0.01, "cov_xy": 0.0, "cov_yy": 0.01}
    rows = boxes.assign(camera_id=boxes["camera"], track_id=boxes["person"].map(numbers), **fixed)
    rows = rows.merge(at, on=["t_utc", "person"], how="left")
    if dropout is not None:
        rows = rows[dropout.keeps(rows[["x0", "y0", "x1", "y1"]].to_numpy())]
    tracks = TRACKS.shape(rows)
    persons, members = join(tracks, site, np.random.default_rng(0))
    sure = pd.DataFrame({"camera_id": sorted(set(boxes["camera"])), "track_id": numbers[subject]})
    return People(tracks, persons, members, sure)


class Dropout:
    """Randomly loses a share of what a detector finds. One detection has one fate, for the tracker
    and for fresh eyes.
    """

    def __init__(self, share: float, seed: int) -> None:
        self._share = share
        self._weights = np.random.default_rng(seed).random(4) * 1e4

    def keeps(self, boxes: np.ndarray) -> np.ndarray:
        """(n,) whether each box (n, 4) px is found."""
        # A detection's box, to a hundredth of a pixel and clipped as DETECTIONS are, is its name: a
        # hash decides.
        fixed = np.round(np.maximum(np.asarray(boxes, float).reshape(-1, 4), 0), 2)
        fate = np.sin(fixed @ self._weights) * 43758.5453
        return np.asarray(fate - np.floor(fate) >= self._share)

    def of(self, found: Found) -> Found:
        """What is left of one image's finds."""
        keep = self.keeps(found[0])
        return found[0][keep], found[1][keep]


class Eyes:
    """Redaction's fresh detectors, remembering what they said of an image, so that several modes
    cost one look.
    """

    def __init__(self, models: Models, detectors: Callable[[Models], Detectors]) -> None:
        self._plain = detectors(models)
        self._known: dict[bytes, Found] = {}

    def forget(self) -> None:
        """Call between clips: what was said of one's images is of no use for the next."""
        self._known.clear()

    def through(self, dropout: Dropout | None, blind: bool = False) -> Detectors:
        """Detectors that lose what `dropout` says, or everything."""

        def people(images: Sequence[np.ndarray]) -> list[Found]:
            if blind:
                return [_NONE for _ in images]
            names = [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]
            for name, image in zip(names, images, strict=True):
                if name not in self._known:
                    self._known[name] = self._plain.people([image])[0]
            found = [self._known[name] for name in names]
            return [dropout.of(f) for f in found] if dropout else found

        def faces(images: Sequence[np.ndarray]) -> list[Found]:
            if blind or self._plain.faces is None:
                return [_NONE for _ in images]
            found = self._plain.faces(images)
            return [dropout.of(f) for f in found] if dropout else found

        return Detectors(people=people, faces=faces)
