"""What `encounter doctor` looks at: each check says what it found, and what to do about it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from cryptography import x509

from data_contracts import object_key
from data_contracts.errors import EncounterError
from data_contracts.time import now_utc
from flows.desk.accounts import Accounts
from infra import passes
from infra.key_source import load_master_keys
from infra.local import disk_room, prefect_server
from infra.settings import Settings
from infra.signing import load_signing_key
from infra.store import ObjectStore
from models.files import pull as pulling

State = Literal["ok", "warning", "broken"]
# S3 refuses requests from 15 minutes on; times in the audit log are wrong long before.
_CLOCK_S = 5.0
_PROBE = ".doctor"
_WAIT_S = 5.0
_EXPIRES_SOON_DAYS = 14


class Finding(NamedTuple):
    """What one check found: in words, with what to do where it is not ok."""

    check: str
    state: State
    told: str


def findings(settings: Settings) -> Iterator[Finding]:
    """All of them, in the order in which they should be mended. None raises."""
    for check, look in CHECKS.items():
        try:
            yield from (Finding(check, state, told) for state, told in look(settings))
        except EncounterError as error:
            yield Finding(check, "broken", str(error))
        except Exception as error:  # noqa: BLE001  one check's fault keeps no other from its look
            yield Finding(check, "broken", f"cannot be looked at ({type(error).__name__})")


_Found = Iterator[tuple[State, str]]


def _home(settings: Settings) -> _Found:
    settings.paths.make()
    yield "ok", f"{settings.home} is only yours"


def _keys(settings: Settings) -> _Found:
    load_master_keys(settings)
    yield "ok", f"the master key is there ({settings.keys.source})"
    load_signing_key(settings)
    yield "ok", "the installation's signing key is there"


def _store_reached(settings: Settings) -> _Found:
    store = _store(settings)
    missing = []
    for name in object_key.BUCKETS:
        if not store.has_bucket(name):
            missing.append(store.bucket(name))
    if missing:
        yield "broken", f"no bucket {', '.join(missing)} at {store.endpoint}: run encounter up"
        return
    yield "ok", f"{store.endpoint} answers and has the buckets"
    if not settings.s3.secure and not store.endpoint.startswith(("127.", "localhost")):
        yield "warning", "what goes to the store is not encrypted on its way: set s3.secure"


def _rights(settings: Settings) -> _Found:
    store = _store(settings)
    store.folders(object_key.FOOTAGE)
    for name in (object_key.SITE, object_key.CASES, object_key.AUDIT):
        store.put(name, _PROBE, b"probe")
        store.get(name, _PROBE)
        if name != object_key.AUDIT:
            store.remove_all_versions(name, _PROBE)
    yield "ok", "reading, writing, listing and deleting versions is allowed"


def _clock(settings: Settings) -> _Found:
    there = _store(settings).time()
    if there is None:
        yield "warning", "the store does not say what time it is: compare the clocks yourself"
        return
    apart = (now_utc() - there).total_seconds()
    if abs(apart) > _CLOCK_S:
        way = "ahead of" if apart > 0 else "behind"
        yield (
            "broken",
            f"this machine's clock is {abs(apart):.0f} s {way} the store's: set both by NTP "
            "(timedatectl set-ntp true)",
        )
        return
    yield "ok", f"within {_CLOCK_S:.0f} s of the store's"


def _object_lock(settings: Settings) -> _Found:
    store = _store(settings)
    if store.object_lock(object_key.CASES):
        yield (
            "broken",
            f"bucket {store.bucket(object_key.CASES)} has an object lock, so cases cannot be "
            "destroyed: make it anew without one",
        )
    if store.object_lock(object_key.AUDIT):
        yield "ok", f"audit entries cannot be deleted for {settings.audit.lock_days} days"
    else:
        yield (
            "warning",
            "audit entries can be deleted (the audit finds it, nothing prevents it): use a store "
            "with object lock, and let encounter up make the bucket",
        )


def _versioning(settings: Settings) -> _Found:
    store = _store(settings)
    if not store.is_versioned(object_key.AUDIT):
        yield (
            "broken",
            f"bucket {store.bucket(object_key.AUDIT)} keeps no versions: run encounter up, or turn "
            "versioning on",
        )
    else:
        yield "ok", "the audit log's versions are kept"
    if store.is_versioned(object_key.CASES):
        yield (
            "warning",
            f"bucket {store.bucket(object_key.CASES)} keeps versions: ending a case deletes them "
            "all, which takes time; turn versioning off there",
        )


def _models(settings: Settings) -> _Found:
    rows = pulling.check(settings.models.dir)
    bad = [f"{row.name} ({row.state})" for row in rows if row.default and row.state != "ok"]
    if bad:
        yield "broken", f"{', '.join(bad)}: run encounter models pull"
    else:
        yield "ok", "the default models are there, with the right digests"


def _disk(settings: Settings) -> _Found:
    below = disk_room.warn_below_bytes(settings)
    for room in disk_room.rooms(settings):
        state: State = "broken" if room.full else "warning" if room.low else "ok"
        yield state, room.told(below)


def _orchestrator(settings: Settings) -> _Found:
    prefect_server.check_address(settings)
    url = settings.prefect.api_url
    if not url:
        yield "broken", "no Prefect server is known: run encounter up, or set prefect.api_url"
        return
    if not _listens(url):
        yield "broken", f"nothing answers at {url}: run encounter up, or check prefect.api_url"
        return
    login = prefect_server.find_login(settings)
    if not prefect_server.lets_in(url, login):
        yield (
            "broken",
            f"{url} refuses the login: check prefect.auth_string, or the file "
            f"{settings.paths.prefect_login_file}",
        )
        return
    yield "ok", f"{url} answers and takes the login"
    if prefect_server.worker_ready(settings):
        yield "ok", f"the pool {settings.prefect.pool} has a worker"
    else:
        yield (
            "broken",
            f"no worker is online in the pool {settings.prefect.pool}, so no case runs and nothing "
            "is purged: run encounter up where the worker belongs",
        )


def _dask(settings: Settings) -> _Found:
    address = settings.dask.scheduler
    if address is None:
        yield "warning", "no Dask scheduler is known: each run starts workers of its own"
    elif _listens(address):
        yield "ok", f"{address} answers"
    else:
        yield "broken", f"nothing answers at {address}: run encounter up, or check dask.scheduler"


def _desk(settings: Settings) -> _Found:
    names = Accounts(settings.paths.desk_accounts_file).names()
    if names:
        yield "ok", f"{len(names)} accounts"
    else:
        yield (
            "warning",
            "nobody has an account: encounter desk account add NAME --role administrator",
        )
    if settings.desk.certificate is not None:
        yield _certificate(settings.desk.certificate.read_bytes())


def _certificate(pem: bytes) -> tuple[State, str]:
    try:
        ends = x509.load_pem_x509_certificate(pem).not_valid_after_utc
    except ValueError:
        return "broken", "desk.certificate is no certificate in PEM: give another file"
    days = (ends - now_utc()).days
    if days < 0:
        return "broken", f"the desk's certificate expired on {ends:%Y-%m-%d}: renew it"
    if days < _EXPIRES_SOON_DAYS:
        return "warning", f"the desk's certificate expires in {days} days: renew it"
    return "ok", f"the desk's certificate is good until {ends:%Y-%m-%d}"


def _passes(settings: Settings) -> _Found:
    late = passes.late(settings.paths)
    if late:
        yield (
            "broken",
            f"{', '.join(late)} has not succeeded for 15 minutes: its last run in the Prefect UI "
            "says why, and encounter status",
        )
    else:
        yield "ok", "no pass is late"


def _site(settings: Settings) -> _Found:
    if _store(settings).exists(object_key.SITE, object_key.CAMERAS):
        yield "ok", "cameras are published"
    else:
        yield "warning", "no cameras yet: encounter site publish cameras.geojson"


def _store(settings: Settings) -> ObjectStore:
    quick = {"connect_timeout_s": _WAIT_S, "read_timeout_s": _WAIT_S, "retries": 0}
    return ObjectStore(settings.s3.model_copy(update=quick))


def _listens(address: str) -> bool:
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=_WAIT_S):
            return True
    except OSError:
        return False


CHECKS: dict[str, Callable[[Settings], _Found]] = {
    "disk": _disk,
    "home": _home,
    "keys": _keys,
    "store": _store_reached,
    "clock": _clock,
    "rights": _rights,
    "object lock": _object_lock,
    "versioning": _versioning,
    "site": _site,
    "models": _models,
    "Prefect": _orchestrator,
    "Dask": _dask,
    "passes": _passes,
    "desk": _desk,
}
