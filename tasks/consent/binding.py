"""What a token is bound to: the reference pictures, itinerary and onset that its signer saw.

Digests are HMAC-SHA-256 under a salt that is drawn for each token: whoever holds the token and a
picture can tell whether they belong together, and nobody can tell from two tokens that they name
the same picture.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

from data_contracts.authorisation import Binding, Grant
from data_contracts.case import CaseRequest, Visit
from data_contracts.errors import NotAuthorised

_SALT_BYTES = 16


def bind(
    visits: Sequence[Visit],
    onset_utc: datetime | None,
    sample_utc: datetime | None,
    pictures: Mapping[str, bytes],
) -> Binding:
    """A binding under a fresh salt of what the case's request will say."""
    salt = secrets.token_hex(_SALT_BYTES)
    return Binding(
        salt=salt,
        pictures=tuple(sorted({_picture(salt, data) for data in pictures.values()})),
        itinerary=_itinerary(salt, visits),
        window=_window(salt, onset_utc, sample_utc),
    )


def bind_request(request: CaseRequest, pictures: Mapping[str, bytes]) -> Binding:
    """A binding of a request that is there already."""
    return bind(request.itinerary, request.onset_utc, request.sample_utc, pictures)


def keyed(salt: str, kind: str, data: bytes) -> str:
    """HMAC-SHA-256 in hex under a token's salt; `kind` keeps things of different kinds apart."""
    return hmac.digest(bytes.fromhex(salt), kind.encode() + b"\0" + data, "sha256").hex()


def check_request(grant: Grant, request: CaseRequest) -> None:
    """Raise NotAuthorised where the request's itinerary, onset or sample are not those that were
    signed.
    """
    salt = grant.binding.salt
    if _itinerary(salt, request.itinerary) != grant.binding.itinerary:
        raise NotAuthorised(f"{grant.role} refused: it was signed for another itinerary")
    if _window(salt, request.onset_utc, request.sample_utc) != grant.binding.window:
        raise NotAuthorised(f"{grant.role} refused: it was signed for another onset or sample date")


def check_pictures(grant: Grant, pictures: Mapping[str, bytes]) -> None:
    """Raise NotAuthorised naming a picture that was not signed, or saying that a signed one is
    missing.
    """
    salt = grant.binding.salt
    given = {_picture(salt, data): name for name, data in pictures.items()}
    for digest, name in given.items():
        if digest not in grant.binding.pictures:
            raise NotAuthorised(f"{grant.role} refused: it was not signed for picture {name}")
    missing = len(set(grant.binding.pictures) - set(given))
    if missing:
        raise NotAuthorised(
            f"{grant.role} refused: {missing} of the pictures that it was signed for are missing"
        )


def _picture(salt: str, data: bytes) -> str:
    return keyed(salt, "picture", data)


def _itinerary(salt: str, visits: Sequence[Visit]) -> str:
    return keyed(salt, "itinerary", _json([visit.model_dump(mode="json") for visit in visits]))


def _window(salt: str, onset_utc: datetime | None, sample_utc: datetime | None) -> str:
    times = [None if t is None else t.timestamp() for t in (onset_utc, sample_utc)]
    return keyed(salt, "window", _json(times))


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
