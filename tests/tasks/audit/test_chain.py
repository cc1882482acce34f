"""Whatever is done to the audit log is found, and the entry is named."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from audit_scene import chain, checkpoint_of, entry, lines, new_key, placed, with_checkpoint

from data_contracts.audit import AuditEntry, Link, canonical, link
from tasks.audit.chain import verify

OTHER = {
    "version": 2,
    "sequence": 99,
    "action": "export",
    "outcome": "failed",
    "actor": "account:00bb",
    "role": "operator",
    "case_id": "K-OTHER-1",
    "run_id": "other",
    "purpose": "other",
    "legal_basis": ["other"],
    "from_utc": "2020-01-01T00:00:00Z",
    "to_utc": "2020-01-01T00:00:00Z",
    "scopes": ["appearance"],
    "cameras": ["entrance"],
    "models": {"nanodet": "95d9"},
    "policy": "who@2",
    "papers": ["consent:a"],
    "verified_by": ["key:k1"],
    "matched": ["S-02"],
    "objects": ["contacts.csv"],
    "counts": {"sightings": 2},
    "reason": "",
    "entry_id": "f" * 32,
    "recorded_utc": "2020-01-01T00:00:00Z",
    "checkpoint": "a.b.c",
}


def found(items, **options) -> set[tuple[int, str]]:
    """Numbers and kinds of what a check finds."""
    return {(f.sequence, f.kind) for f in verify(items, **options).findings}


def test_a_sound_log_has_no_findings() -> None:
    """Nothing is found in a log that nobody touched, as file or as objects, and the verdict counts
    it.
    """
    key = new_key()
    links = with_checkpoint(chain(7), key)
    for items in (lines(links), placed(links)):
        verdict = verify(items, [key.public], [checkpoint_of(links[3], key)])
        assert not verdict.findings
        assert (verdict.entries, verdict.checkpoints, verdict.vouched) == (8, 1, 7)
        assert verdict.head == links[-1].hash
    assert verify([]).entries == 0


def test_every_field_is_tampered_with_here() -> None:
    """The table below changes each field of an entry: a new field must be added to it."""
    assert set(OTHER) == set(AuditEntry.model_fields)


@pytest.mark.parametrize("field", sorted(OTHER))
def test_a_changed_field_is_found_where_it_is(field: str) -> None:
    """A field changed in the stored bytes, the hash left as it was, is found at that entry and
    nowhere else.
    """
    links = chain(5)
    value = json.loads(canonical(links[2]))
    assert value["entry"][field] != OTHER[field]
    value["entry"][field] = OTHER[field]
    items = placed(links)
    items[2] = (
        3,
        json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(),
    )
    assert found(items) in ({(3, "changed")}, {(3, "unreadable")})


@pytest.mark.parametrize("at", [1, 3, 5, 6])
def test_an_entry_rewritten_with_its_own_hash_is_found(at: int) -> None:
    """Recomputing the entry's own hash does not help: the next one was linked to the old. The end
    needs a checkpoint.
    """
    key = new_key()
    links = chain(6)
    outside = [checkpoint_of(links[-1], key)]
    links[at - 1] = link(links[at - 1].previous, entry(at, outcome="failed"))
    assert found(lines(links), keys=[key.public], outside=outside) == {(at, "changed")}


def test_a_rewritten_link_is_found_at_the_entry_that_was_rewritten() -> None:
    """An entry linked to something else than the one before it, and rehashed, is named itself: its
    successor tells.
    """
    links = chain(6)
    links[3] = link("ab" * 32, links[3].entry)
    assert found(lines(links)) >= {(4, "changed")}
    assert 3 not in {number for number, _ in found(lines(links))}


def test_a_log_rewritten_to_its_end_is_found_by_a_checkpoint() -> None:
    """Everything after a changed entry rehashed: the chain holds, the checkpoint inside or outside
    does not.
    """
    key = new_key()
    links = chain(9)
    outside = checkpoint_of(links[6], key)
    forged = links[:3]
    for old in links[3:]:
        forged.append(link(forged[-1].hash, old.entry.model_copy(update={"outcome": "refused"})))
    assert not found(lines(forged))
    assert found(lines(forged), keys=[key.public], outside=[outside]) == {(7, "changed")}


@pytest.mark.parametrize(("at", "kept"), [(1, 5), (3, 5), (4, 5)])
def test_a_removed_entry_is_found(at: int, kept: int) -> None:
    """The first or a middle entry is missed, by its number; so is one that a delete marker
    hides.
    """
    links = chain(6)
    left = [found for found in links if found.entry.sequence != at]
    assert len(left) == kept
    assert found(lines(left)) == {(at, "removed")}
    assert found(placed(left)) == {(at, "removed")}
    hidden = [*placed(links), (at, None)]
    assert found(hidden) == {(at, "removed")}


def test_removed_entries_in_a_row_are_one_finding() -> None:
    """Entries 3 to 5 gone is said once, with both ends."""
    links = chain(8)
    (finding,) = verify(lines(links[:2] + links[5:])).findings
    assert (finding.sequence, finding.kind) == (3, "removed")
    assert "3 to 5" in finding.detail


def test_a_log_cut_off_at_its_end_is_found_by_a_checkpoint_from_outside() -> None:
    """The last entries removed, their checkpoint too: the chain alone cannot tell, the checkpoint
    kept apart does.
    """
    key = new_key()
    links = with_checkpoint(chain(8), key)
    outside = [links[-1].entry.checkpoint]
    assert found(lines(links[:6]), keys=[key.public]) == set()
    assert found(lines(links[:6]), keys=[key.public], outside=outside) == {(7, "truncated")}
    assert found([], keys=[key.public], outside=outside) == {(1, "truncated")}


def test_two_swapped_entries_are_found() -> None:
    """Lines swapped in a file, or bodies swapped between two objects."""
    links = chain(6)
    swapped = [*links[:2], links[3], links[2], *links[4:]]
    assert found(lines(swapped)) == {(3, "reordered")}
    items = placed(links)
    items[2], items[3] = (3, items[3][1]), (4, items[2][1])
    assert found(items) == {(3, "reordered"), (4, "reordered")}


def test_a_fork_is_found_and_the_true_branch_kept() -> None:
    """A second entry of the same number is found, in either order, and the rest of the log is not
    blamed.
    """
    links = chain(6)
    twin = link(links[1].hash, entry(3, reason="another"))
    for pair in ([links[2], twin], [twin, links[2]]):
        assert found(lines([*links[:2], *pair, *links[3:]])) == {(3, "forked")}
    assert found([*placed(links), placed([links[4]])[0]]) == {(5, "forked")}


def test_a_renumbered_log_is_found() -> None:
    """A removed entry hidden by renumbering those behind it: their hashes are wrong, or the
    checkpoint is.
    """
    key = new_key()
    links = with_checkpoint(chain(6), key)
    renumbered = [
        found.model_copy(
            update={"entry": found.entry.model_copy(update={"sequence": found.entry.sequence - 1})}
        )
        for found in links[3:]
    ]
    assert {(3, "changed"), (4, "changed")} <= found(lines([*links[:2], *renumbered]))
    rehashed = links[:2]
    for old in links[3:]:
        number = old.entry.sequence - 1
        rehashed.append(link(rehashed[-1].hash, old.entry.model_copy(update={"sequence": number})))
    assert found(lines(rehashed), keys=[key.public]) == {(6, "forged")}


def _stranger(links: list[Link]) -> str:
    return checkpoint_of(links[-1], new_key())


def _altered(links: list[Link]) -> str:
    header, payload, signature = checkpoint_of(links[-1], new_key()).split(".")
    return f"{header}.{payload[:-2]}AA.{signature}"


@pytest.mark.parametrize(
    "forge", [_stranger, _altered, lambda _links: "a.b.c", lambda _links: "AAAA"]
)
def test_a_checkpoint_that_another_key_signed_does_not_count(
    forge: Callable[[list[Link]], str],
) -> None:
    """Signed with a wrong key, altered, or no JWS at all: found as forged, and nothing is vouched
    for.
    """
    links = chain(4)
    point = link(links[-1].hash, entry(5, action="checkpoint", checkpoint=forge(links)))
    verdict = verify(lines([*links, point]), [new_key().public])
    assert {(f.sequence, f.kind) for f in verdict.findings} == {(5, "forged")}
    assert verdict.vouched == 0


def test_a_document_of_another_kind_is_no_checkpoint() -> None:
    """What the same key signed as something else (a receipt) does not pass for a checkpoint."""
    key = new_key()
    links = chain(3)
    token = key.sign(
        "encounter-receipt+jws",
        {"sequence": 3, "head": links[-1].hash, "time": "2026-11-16T09:00:00Z"},
    )
    assert (3, "forged") in found(lines(links), keys=[key.public], outside=[token])


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff\xfe", b'{"entry":{}}', b"[" * 5000])
def test_what_cannot_be_read_is_found_where_it_is(data: bytes) -> None:
    """Garbage in an entry's place is one finding there, and the check goes on."""
    items = placed(chain(4))
    items[1] = (2, data)
    assert found(items) >= {(2, "unreadable")}
    assert {number for number, _ in found(items)} == {2}


def test_added_spaces_are_a_change() -> None:
    """An entry has one form in bytes: the same content written otherwise is found."""
    items = placed(chain(3))
    items[1] = (2, items[1][1].replace(b",", b", "))
    assert (2, "unreadable") in found(items)
