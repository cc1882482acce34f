"""A made audit log of known entries, with a key of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from joserfc.jwk import OKPKey

from data_contracts.audit import (
    CHECKPOINT_TYPE,
    GENESIS,
    AuditEntry,
    Checkpoint,
    Link,
    canonical,
    link,
)
from infra.signing import InstallationKey

NOW = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)


def new_key() -> InstallationKey:
    """A fresh installation key."""
    return InstallationKey(OKPKey.generate_key("Ed25519"))


def entry(sequence: int, **changes) -> AuditEntry:
    """An entry in which every field is filled."""
    given = {
        "action": "view",
        "actor": "account:00aa",
        "role": "reviewer",
        "case_id": f"K-2026-{sequence:04d}",
        "run_id": "20261116T090000Z-ab12cd",
        "purpose": "contact tracing of a confirmed case",
        "legal_basis": ("GDPR 9(2)(a)",),
        "from_utc": NOW - timedelta(days=2),
        "to_utc": NOW,
        "scopes": ("face",),
        "cameras": ("entrance", "lobby-a"),
        "models": {"nanodet": "95d8"},
        "policy": "who@1",
        "papers": ("consent:a", "approval:b"),
        "verified_by": ("key:k1", "key:k2"),
        "matched": ("S-01",),
        "objects": ("report.html",),
        "counts": {"sightings": 1},
        "reason": "opened by a reviewer",
        "entry_id": f"{sequence:032x}",
        "recorded_utc": NOW + timedelta(seconds=sequence),
    }
    return AuditEntry(sequence=sequence, **{**given, **changes})


def chain(count: int, **changes) -> list[Link]:
    """A sound log of `count` entries."""
    links: list[Link] = []
    for number in range(1, count + 1):
        links.append(link(links[-1].hash if links else GENESIS, entry(number, **changes)))
    return links


def checkpoint_of(last: Link, key: InstallationKey) -> str:
    """A signed checkpoint of everything up to `last`."""
    point = Checkpoint(sequence=last.entry.sequence, head=last.hash, time=NOW)
    return key.sign(CHECKPOINT_TYPE, point.model_dump(mode="json"))


def with_checkpoint(links: list[Link], key: InstallationKey) -> list[Link]:
    """The log with a checkpoint entry at its end."""
    number = len(links) + 1
    point = entry(number, action="checkpoint", checkpoint=checkpoint_of(links[-1], key))
    return [*links, link(links[-1].hash, point)]


def lines(links: list[Link]) -> list[tuple[None, bytes]]:
    """As lines of an exported file."""
    return [(None, canonical(found)) for found in links]


def placed(links: list[Link]) -> list[tuple[int, bytes]]:
    """As objects of the store, each in the place that its number says."""
    return [(found.entry.sequence, canonical(found)) for found in links]
