"""What is fuzzed, and what must hold: each input ends as a right answer, or as an EncounterError of
one clear line.

Each target is a strategy and a check. A check returns how the input ended ("right" or "refused")
and lets everything else through: any other exception is a crash, an AssertionError a silent loss.
"""

from __future__ import annotations

import base64
import json
import math
import string
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OKPKey

from data_contracts import object_key
from data_contracts.authorisation import TrustedKeys
from data_contracts.camera import read_site
from data_contracts.case import CASE_ID, CaseRequest, Visit
from data_contracts.errors import EncounterError, KeyMissing, NotAuthorised
from data_contracts.object_key import read_segment, segment
from data_contracts.tables.contracts import WINDOWS
from infra.case_store import CaseStore, _read_key_record
from infra.crypto import new_data_key, seal, unseal
from infra.master_keys import HeldKeys, LocalMasterKey
from tasks.consent.authorise import authorise
from tasks.consent.binding import bind_request
from tasks.consent.grant_token import (
    ALGORITHM,
    TYPES,
    GrantDraft,
    generate_key,
    read_trusted_keys,
    sign_grant,
    verify,
)
from tasks.ending.purge import claimed_expiry, claimed_scopes
from tasks.ground.position import Locator
from tasks.observe.rotation import Rotation
from tasks.observe.template import SubjectTemplate, from_bytes, to_bytes
from tasks.search.find_segments import segments_for
from tasks.search.itinerary import read_itinerary

Ended = Literal["right", "refused"]
NOW = datetime(2026, 11, 17, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class Target(NamedTuple):
    """A strategy of inputs and the check that each of them must pass."""

    name: str
    inputs: st.SearchStrategy[Any]
    check: Callable[[Any], Ended]


def refused_or(work: Callable[[], Any]) -> Ended:
    """Run what must succeed or raise an EncounterError whose text is one short line."""
    try:
        work()
    except EncounterError as error:
        text = str(error).strip()
    else:
        return "right"
    assert text, "an error without a text"
    assert "\n" not in text, "an error of several lines"
    assert len(text) < 2000, "an error that repeats its input"
    return "refused"


# Pieces that parsers trip over.
NASTY = st.sampled_from(
    (
        *(
            "",
            "\x00",
            "\n",
            "\ufeff",
            "\u202e",
            "\ud83d\ude00",
            "٣",
            "..",
            "/",
            "%2e",
            "'",
            '"',
            ",",
            ";",
            "=",
            "-0",
        ),
        *("1e400", "NaN", "Infinity", "-Infinity", "null", "true", "[]", "{}", "0001-01-01"),
        *("9" * 400, "A" * 3000, "[" * 3000),
    )
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | NASTY,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=8,
)


@st.composite
def mutated(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes near `whole`: bytes changed, cut out, put in twice, cut off."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        length = draw(st.integers(0, 40))
        how = draw(st.sampled_from(["set", "del", "dup", "put", "end"]))
        if how == "set":
            data[at : at + length] = draw(st.binary(min_size=length, max_size=length))
        elif how == "del":
            del data[at : at + length]
        elif how == "dup":
            data[at:at] = data[at : at + length]
        elif how == "put":
            data[at:at] = draw(NASTY).encode("utf-8", "replace")
        else:
            del data[at:]
    return bytes(data)


@st.composite
def changed_json(draw: st.DrawFn, whole: Any) -> Any:
    """A JSON value with some of its parts replaced, dropped or renamed."""
    value = json.loads(json.dumps(whole))
    for _ in range(draw(st.integers(1, 3))):
        holder, key = _some_part(draw, value)
        if holder is None:
            return draw(JSON)
        how = draw(st.sampled_from(("set", "drop", "nasty")))
        if how == "drop":
            del holder[key]
        else:
            holder[key] = draw(JSON if how == "set" else NASTY)
    return value


def _some_part(draw: st.DrawFn, value: Any) -> tuple[Any, Any]:
    parts = []

    def walk(at: Any) -> None:
        for key in at if isinstance(at, dict) else range(len(at)):
            parts.append((at, key))
            if isinstance(at[key], dict | list):
                walk(at[key])

    if isinstance(value, dict | list):
        walk(value)
    return parts[draw(st.integers(0, len(parts) - 1))] if parts else (None, None)


# --- tokens
# ------------------------------------------------------------------------------------------

_PRIVATE, _PUBLIC = generate_key("Dr Kim", ("consent",))
_OFFICER, _OFFICER_PUBLIC = generate_key("Officer Lee", ("approval",))
_KEY = OKPKey.import_key({k: _PRIVATE[k] for k in ("kty", "crv", "x", "d")})
_KEYS = TrustedKeys(keys=(_PUBLIC, _OFFICER_PUBLIC))
_REQUEST = CaseRequest(
    case_id="K-2026-0042",
    subject="S",
    onset_utc=NOW,
    itinerary=(Visit(place="lobby", from_utc=NOW - DAY, to_utc=NOW),),
    policy="who",
    reference_images=("a.jpg",),
    filed_utc=NOW,
)
_GRANT: dict[str, Any] = {
    "case_id": "K-2026-0042",
    "subject": "S",
    "scopes": ("face",),
    "cameras": ("entrance",),
    "from_utc": NOW - DAY,
    "to_utc": NOW,
    "legal_basis": "GDPR Art. 9(2)(a)",
    "expires_utc": NOW + DAY,
    "binding": bind_request(_REQUEST, {"a.jpg": b"picture"}),
}
_TOKEN = sign_grant(_PRIVATE, GrantDraft(role="consent", **_GRANT), NOW)
_APPROVAL = sign_grant(_OFFICER, GrantDraft(role="approval", **_GRANT), NOW)
_AREA = {
    "type": "Polygon",
    "coordinates": [[[126.7, 37.5], [126.8, 37.5], [126.8, 37.6], [126.7, 37.5]]],
}
_CLAIMS = json.loads(jws.extract_compact(_TOKEN.encode()).payload)
_WITH_AREA = {
    **_CLAIMS,
    "encounter": {
        **{k: v for k, v in _CLAIMS["encounter"].items() if k != "cameras"},
        "area": _AREA,
    },
}


def check_token(data: bytes) -> Ended:
    """No text but the very token passes; everything else is NotAuthorised."""
    text = data.decode("utf-8", "replace")

    def work() -> None:
        grant = verify(text, "consent", _KEYS, NOW)
        assert text.strip() == _TOKEN, "another text than the signed one passed"
        assert grant.case_id == "K-2026-0042"

    try:
        return refused_or(work)
    except NotAuthorised:
        return "refused"


def check_expiry(claims: Any) -> Ended:
    """The purge reads when any token says it expires, or that it expired long ago; nothing keeps a
    case alive.
    """
    token = jws.serialize_compact(
        {"alg": ALGORITHM}, json.dumps(claims).encode(), _KEY, algorithms=[ALGORITHM]
    )
    for text in (token, token[:-9], token.split(".")[0]):
        assert claimed_expiry(text).utcoffset() == timedelta(0)
        assert all(isinstance(scope, str) for scope in claimed_scopes(text))
    return "right" if claimed_expiry(token).year > 1 else "refused"


def check_claims(claims: Any) -> Ended:
    """Whatever a trusted signer signs is refused, or is a grant that stands within its own
    claims.
    """
    header = {"alg": ALGORITHM, "typ": TYPES["consent"], "kid": _KEY.thumbprint()}
    token = jws.serialize_compact(header, json.dumps(claims).encode(), _KEY, algorithms=[ALGORITHM])

    def work() -> None:
        case = authorise(
            _REQUEST, token, _APPROVAL, _KEYS, NOW, standing=lambda _: "usable", site=_SITE
        )
        assert case.scopes <= set(claims["encounter"]["scopes"])
        assert case.consent.not_before_utc <= NOW < case.expires_utc <= NOW + DAY
        assert case.span.start_utc < case.span.end_utc
        assert case.span.start_utc >= NOW - DAY
        assert case.span.end_utc <= NOW
        named = claims["encounter"].get("cameras")
        assert named is None or not case.allows_camera("entrance") or {"*", "entrance"} & set(named)

    return refused_or(work)


_TRUSTED = json.loads(_KEYS.model_dump_json())


def check_trusted(value: Any) -> Ended:
    """A file of trusted keys is read whole or refused; a private key never passes."""

    def work() -> None:
        found = read_trusted_keys(json.dumps(value))
        assert len(found.keys) == len(value["keys"])
        assert not any("d" in key.public_jwk for key in found.keys)

    return refused_or(work)


# --- cameras
# ------------------------------------------------------------------------------------------


def _camera_file() -> dict[str, Any]:
    ring = [[127.0, 37.5], [127.0001, 37.5], [127.0001, 37.5001], [127.0, 37.5001], [127.0, 37.5]]
    common = {"image_width": 1280, "image_height": 720, "local_origin": {"lon": 127.0, "lat": 37.5}}
    homography = [[0.01, 0.0, -6.4], [0.0, -0.02, 14.4], [0.0, 0.001, 0.4]]
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [127.0, 37.5]},
                "properties": {
                    **common,
                    "camera_id": name,
                    "homography_px_to_local": homography,
                    "position_local_m": [0.0, 0.0, 2.7],
                    "coverage": {"type": "Polygon", "coordinates": [ring]},
                    "neighbours": [{"camera_id": other, "walking_seconds": 0}],
                },
            }
            for name, other in (("entrance", "lobby"), ("lobby", "entrance"))
        ],
    }


_CAMERAS = _camera_file()
_SITE = read_site(json.dumps(_CAMERAS))


def check_cameras(data: bytes) -> Ended:
    """A camera file is refused, or every camera of it can be used: keys, coverage, places on the
    ground, all finite.
    """

    def work() -> None:
        site = read_site(data)
        for camera in site.cameras:
            name = segment(camera.camera_id, NOW)
            assert read_segment(name) == (camera.camera_id, NOW.replace(microsecond=0), "mp4"), (
                "an id that makes no key"
            )
            camera.covers(1.0, 1.0)
            for other in site.by_id:
                site.overlapping(camera.camera_id, other)
            assert camera.polygon is None or all(map(math.isfinite, camera.polygon.bounds))
            if camera.homography is not None:
                boxes = np.array([[10.0, 10.0, 60.0, 200.0], [0.0, 0.0, 1.0, 1.0]])
                with np.errstate(all="ignore"):
                    ground = Locator(camera).locate(boxes)
                placed = np.isfinite(ground.xy_m).all(1)
                assert np.isfinite(ground.cov_m2[placed]).all(), (
                    "a place without a finite deviation"
                )

    return refused_or(work)


# --- itinerary
# ------------------------------------------------------------------------------------------

_ITINERARY = (
    "place,from,to,tolerance_min,source,cameras\n"
    "lobby,2026-11-16T09:00:00+09:00,2026-11-16T10:00:00+09:00,5,interview,entrance;lobby\n"
    '"shop, ground floor",2026-11-16T02:00:00Z,2026-11-16T03:00:00Z,10,card,\n'
)
_TIMES = st.sampled_from(
    (
        *(
            "0001-01-01T00:00:00+09:00",
            "9999-12-31T23:59:59-09:00",
            "2026-11-16T09:00:00",
            "2026-11-16",
            "20261116T09Z",
        ),
        *(
            "2026-02-30T00:00Z",
            "2026-11-16T09:00:00+25:00",
            "2026-W47-1T09:00Z",
            "24:00",
            "now",
            "",
            "٢٠٢٦-11-16T09:00Z",
        ),
    )
)
_CELL = st.sampled_from(
    ["lobby", "5", "nan", "inf", "-5", "1e400", '"', "\n", "a,b", "=cmd()"]
) | st.text(max_size=6)
_ROWS = st.lists(st.tuples(_CELL, _TIMES, _TIMES, _CELL), max_size=4).map(
    lambda rows: (
        "place,from,to,tolerance_min\n" + "\n".join(",".join(row) for row in rows)
    ).encode("utf-8", "replace")
)


def check_itinerary(data: bytes) -> Ended:
    """An itinerary is refused with a row, or gives as many visits as it has rows, each in order and
    in UTC.
    """
    text = data.decode("utf-8", "replace")

    def work() -> None:
        visits = read_itinerary(text)
        assert visits
        lines = [line for line in text.splitlines() if line.strip(' ,\t"')]
        assert len(visits) <= len(lines) - 1
        for visit in visits:
            assert visit.place.strip()
            assert visit.from_utc < visit.to_utc
            assert visit.from_utc.utcoffset() == timedelta(0)
            assert 0 <= visit.tolerance_s <= 6 * 3600

    return refused_or(work)


# --- names
# ------------------------------------------------------------------------------------------

_NAME = segment("entrance", NOW)
_NAMES = st.one_of(
    mutated(_NAME.encode()).map(lambda b: b.decode("utf-8", "replace")),
    st.from_regex(
        r"[a-z.]{1,4}/[0-9٣]{4}-[0-9]{2}-[0-9]{2}/[0-9]{2}/[0-9]{2}\.[0-9]{2}\.(mp4|mkv|dav|exe)\n?",
        fullmatch=True,
    ),
    st.text(max_size=40),
)


class _Listed(NamedTuple):
    key: str
    etag: str = "e"
    size: int = 1


def check_names(names: list[str]) -> Ended:
    """A key is a segment's and says its camera and time exactly, or is not a segment's; of those
    listed each is used or told.
    """
    for name in names:
        found = read_segment(name)
        assert found is None or segment(*found) == name, "a name that does not lead back to itself"
    hour = NOW.replace(minute=0)
    windows = WINDOWS.shape(
        [
            {
                "window_id": "W-1",
                "camera_id": "entrance",
                "start_utc": hour,
                "end_utc": hour + timedelta(hours=1),
                "reason": "",
                "anchor": "",
                "round": 0,
            }
        ]
    )
    prefix = object_key.hour_prefixes("entrance", hour, hour + timedelta(minutes=1))[0]
    listed = {prefix + name.rsplit("/", 1)[-1] for name in names} | {
        n for n in names if n.startswith(prefix)
    }
    segments, gaps = segments_for(
        pd.DataFrame(windows), lambda p: [_Listed(k) for k in sorted(listed) if p == prefix]
    )
    used = set(segments["key"])
    strange = sum(int(str(detail).split(" ", 1)[0]) for detail in gaps["detail"])
    late = sum(
        (s := read_segment(k)) is not None and k not in used and s.camera_id == "entrance"
        for k in listed
    )
    assert len(used) + strange + late == len(listed), "an object was neither read nor told"
    return "right" if used else "refused"


def check_parts(parts: tuple[str, list[str]]) -> Ended:
    """A key composed for a case lies below the case's folder, or is refused."""
    case_id, names = parts

    def work() -> None:
        key = object_key.case(case_id, *names)
        assert key.startswith(f"{case_id}/") or (
            key == case_id and not any(name.strip("/") for name in names)
        )
        assert not {"", ".", ".."} & set(key.split("/")), (
            "a key that leaves its folder where a server cleans paths"
        )

    return refused_or(work)


def check_case_id(text: str) -> Ended:
    """A case id is refused, or is short, of one line and of one path part."""
    if CASE_ID.match(text) is None:
        return "refused"
    assert 3 <= len(text) <= 40
    assert set(text) <= set(string.ascii_uppercase + string.digits + "-")
    return "right"


# --- what is stored
# ------------------------------------------------------------------------------------------

_SECRET = bytes(range(32))
_VECTOR = np.random.default_rng(0).standard_normal(128)
_STORED = to_bytes(
    SubjectTemplate("K-2026-0042", bytes(32), _VECTOR / np.linalg.norm(_VECTOR), Rotation(_SECRET))
)


def check_template(data: bytes) -> Ended:
    """A stored template is refused, or is one whole vector of length 1."""

    def work() -> None:
        template = from_bytes(data, lambda _: _SECRET)
        assert len(template.salt) == 32
        assert abs(np.linalg.norm(template.rotated) - 1) < 1e-6
        assert to_bytes(template) == data, "bytes were left unread"

    return refused_or(work)


_DATA_KEY = new_data_key()
_PLAIN = b"the plain text of an object" * 4
_SEALED = seal(_DATA_KEY, "cases/K/x", _PLAIN)


def check_envelope(data: bytes) -> Ended:
    """An envelope opens to what was sealed, or not at all."""

    def work() -> None:
        assert unseal(_DATA_KEY, "cases/K/x", data) == _PLAIN
        assert data == _SEALED, "a changed envelope opened"

    try:
        return refused_or(work)
    except KeyMissing:
        return "refused"


_MASTER = LocalMasterKey(bytes(32))
_RECORD = {
    "format": "encounter-case-key",
    "version": 1,
    "case_id": "K-2026-0042",
    "master_key_id": _MASTER.key_id,
    "created_utc": NOW.isoformat(),
    "wrapped": base64.b64encode(_MASTER.wrap(new_data_key(), "K-2026-0042")).decode(),
}


def check_key_record(data: bytes) -> Ended:
    """A case's key record, which lies in the store in clear, gives the key or is refused."""
    store = CaseStore(None, HeldKeys(_MASTER))
    return refused_or(lambda: store._unwrap("K-2026-0042", _read_key_record("K-2026-0042", data)))


def _as_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


_CAMERA_BYTES = _as_bytes(_CAMERAS)
TARGETS = (
    Target("tokens", mutated(_TOKEN.encode()) | st.binary(max_size=300), check_token),
    Target("signed claims", changed_json(_CLAIMS) | changed_json(_WITH_AREA), check_claims),
    Target("claimed expiry", changed_json(_CLAIMS), check_expiry),
    Target("trusted keys", changed_json(_TRUSTED), check_trusted),
    Target(
        "cameras file",
        changed_json(_CAMERAS).map(_as_bytes)
        | mutated(_CAMERA_BYTES)
        | NASTY.map(lambda t: t.encode("utf-8", "replace")),
        check_cameras,
    ),
    Target("itinerary", mutated(_ITINERARY.encode()) | _ROWS, check_itinerary),
    Target("segment names", st.lists(_NAMES, min_size=1, max_size=4), check_names),
    Target(
        "object keys",
        st.tuples(st.just("K-2026-0042"), st.lists(NASTY | st.text(max_size=12), max_size=3)),
        check_parts,
    ),
    Target("case ids", st.from_regex(CASE_ID) | st.text(max_size=12), check_case_id),
    Target("stored templates", mutated(_STORED) | st.binary(max_size=200), check_template),
    Target("envelopes", mutated(_SEALED) | st.binary(max_size=200), check_envelope),
    Target(
        "key records",
        changed_json(_RECORD).map(_as_bytes) | mutated(_as_bytes(_RECORD)),
        check_key_record,
    ),
)
