"""Checking the audit log: what was changed, removed, moved, doubled or cut off, and where.

Pure: works on what was read from the store or from an exported file. The chain of hashes shows
every change that leaves later entries alone; who rewrites those as well is found by the signed
checkpoints, whose key is not in the store. Entries after the last checkpoint are held by the chain
alone; the verdict says how many they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from pydantic import ValidationError

from data_contracts.audit import CHECKPOINT_TYPE, GENESIS, Checkpoint, Link, entry_hash, read_link
from data_contracts.errors import BadInput, NotAuthorised
from data_contracts.signature import PublicKey
from tasks.consent.jws import verify_signed

FindingKind = Literal[
    "changed", "removed", "reordered", "forked", "truncated", "forged", "unreadable", "outlier"
]

# An entry that is further from the one before it than this is not the log's: a writer takes the
# next number. It is set aside, unless a signed checkpoint says that the log was so long.
_FAR_BEHIND = 1000


class Finding(NamedTuple):
    """Something wrong at an entry's number (for a line that cannot be read, the number it should
    have).
    """

    sequence: int
    kind: FindingKind
    detail: str

    def __str__(self) -> str:
        return f"entry {self.sequence}: {self.kind}: {self.detail}"


class Verdict(NamedTuple):
    """What a check found. `vouched` is the last entry that a valid checkpoint covers (0: none)."""

    entries: int
    head: str
    checkpoints: int
    vouched: int
    findings: tuple[Finding, ...]


def verify(
    items: Iterable[tuple[int | None, bytes | None]],
    keys: Sequence[PublicKey] = (),
    outside: Iterable[str] = (),
) -> Verdict:
    """Check a log. `items` in order: the number that an entry's place says (None: a line of a file)
    and its bytes.

    Bytes None: a delete marker. `keys` are whom checkpoints may be signed by; `outside` are signed
    checkpoints kept apart from the log, which show that its end was cut off. Without keys
    checkpoints are not checked.
    """
    placed, findings = _by_number(items)
    outside = list(outside)
    placed, findings = _without_far_ones(placed, findings, _signed_for(outside, keys))
    findings += _forked_numbers(placed)
    chain = {number: links[0] for number, links in placed.items()}
    findings += _missing_numbers(
        {*chain, *(f.sequence for f in findings if f.kind in ("unreadable", "removed"))}
    )
    findings += _broken_links(chain)
    signed = [(n, chain[n].entry.checkpoint) for n in sorted(chain) if chain[n].entry.checkpoint]
    vouched, wrong = _check_points(chain, signed, outside, keys)
    last = max(chain, default=0)
    return Verdict(
        entries=len(chain),
        head=chain[last].hash if chain else GENESIS,
        checkpoints=len(signed),
        vouched=vouched,
        findings=tuple(sorted({*findings, *wrong})),
    )


def _by_number(
    items: Iterable[tuple[int | None, bytes | None]],
) -> tuple[dict[int, list[Link]], list[Finding]]:
    """Entries by their own number, and what is wrong with where they were."""
    placed: dict[int, list[Link]] = {}
    findings: list[Finding] = []
    last = 0
    for place, data in items:
        if data is None:
            findings.append(
                Finding(
                    place or last + 1, "removed", "it was deleted (a delete marker stands for it)"
                )
            )
            continue
        try:
            found = read_link(data)
        except BadInput as error:
            findings.append(Finding(place or last + 1, "unreadable", str(error)))
            last = place or last + 1
            continue
        number = found.entry.sequence
        if not _hash_holds(found):  # its number may be what was changed: believe its place
            number = place or last + 1
        elif place is not None and number != place:
            findings.append(Finding(place, "reordered", f"entry {number} stands in its place"))
        elif place is None and number < last and number not in placed:
            findings.append(Finding(number, "reordered", f"it stands behind entry {last}"))
        last = max(last, number)
        placed.setdefault(number, []).append(found)
    return placed, findings


def _without_far_ones(
    placed: dict[int, list[Link]], findings: list[Finding], signed_for: int
) -> tuple[dict[int, list[Link]], list[Finding]]:
    """Without what lies far behind the log's end, which becomes a finding of its own."""
    last = 0
    far: list[int] = []
    for number in sorted({*placed, *(f.sequence for f in findings)}):
        if far or (number - last > _FAR_BEHIND and number > signed_for):
            far.append(number)
        else:
            last = number
    why = f"nothing leads to it from entry {last}; it is set aside and never followed"
    return (
        {number: links for number, links in placed.items() if number <= last},
        [f for f in findings if f.sequence <= last] + [Finding(n, "outlier", why) for n in far],
    )


def _signed_for(outside: list[str], keys: Sequence[PublicKey]) -> int:
    """The length of the log that a valid checkpoint from outside vouches for."""
    lengths = [0]
    for token in outside:
        try:
            point = Checkpoint.model_validate(verify_signed(token, CHECKPOINT_TYPE, keys))
        except (NotAuthorised, ValidationError):
            continue
        lengths.append(point.sequence)
    return max(lengths)


def _forked_numbers(placed: dict[int, list[Link]]) -> list[Finding]:
    """Several entries of one number. The one that its successor was linked to is kept, moved to the
    front.
    """
    out = []
    for number in sorted(placed):
        links = placed[number]
        if len(links) == 1:
            continue
        follows = {link.previous for link in placed.get(number + 1, [])}
        links.sort(key=lambda link: (not _hash_holds(link), link.hash not in follows))
        what = "the same entry" if len({link.hash for link in links}) == 1 else "different entries"
        out.append(Finding(number, "forked", f"{len(links)} objects have this number: {what}"))
    return out


def _missing_numbers(there: set[int]) -> list[Finding]:
    out = []
    number = 1
    for present in sorted(there):
        if present > number:
            what = (
                f"entries {number} to {present - 1} are missing"
                if present > number + 1
                else "it is missing"
            )
            out.append(Finding(number, "removed", what))
        number = present + 1
    return out


def _broken_links(chain: dict[int, Link]) -> list[Finding]:
    """Entries whose own hash is wrong, and links that do not hold."""
    out = []
    for number, found in sorted(chain.items()):
        if not _hash_holds(found):
            out.append(Finding(number, "changed", "its hash is not that of its content"))
            continue
        before = chain.get(number - 1)
        expected = GENESIS if number == 1 else before.hash if before is not None else found.previous
        if found.previous != expected:
            out.append(_replaced_side(chain, number))
    return out


def _hash_holds(found: Link) -> bool:
    return entry_hash(found.previous, found.entry) == found.hash


def _replaced_side(chain: dict[int, Link], number: int) -> Finding:
    """Which side of the broken link before `number` was replaced: the one that nobody vouches
    for.
    """
    after = chain.get(number + 1)
    if number == 1 or (after is not None and after.previous != chain[number].hash):
        return Finding(number, "changed", "it is linked to another entry than the one before it")
    return Finding(number - 1, "changed", f"entry {number} was linked to another one in its place")


def _check_points(
    chain: dict[int, Link],
    inside: list[tuple[int, str]],
    outside: list[str],
    keys: Sequence[PublicKey],
) -> tuple[int, list[Finding]]:
    """The last entry that a valid checkpoint covers, and checkpoints that are forged or do not
    fit.
    """
    vouched = 0
    findings = []
    last = max(chain, default=0)
    if not keys:
        return 0, []
    for number, token in [*inside, *((None, token) for token in outside)]:
        try:
            point = Checkpoint.model_validate(verify_signed(token, CHECKPOINT_TYPE, keys))
        except (NotAuthorised, ValidationError) as error:
            why = (
                str(error)
                if isinstance(error, NotAuthorised)
                else "it does not say what a checkpoint says"
            )
            where = "a checkpoint from outside" if number is None else "its checkpoint"
            findings.append(Finding(number or last, "forged", f"{where} does not hold: {why}"))
            continue
        if number is not None and point.sequence != number - 1:
            findings.append(
                Finding(number, "forged", f"its checkpoint is that of entry {point.sequence}")
            )
        elif point.sequence > last:
            said = (
                f"a checkpoint of {point.time:%Y-%m-%d %H:%M:%S}Z vouches for {point.sequence} "
                "entries"
            )
            findings.append(Finding(last + 1, "truncated", f"{said}, {last} are here"))
        elif point.sequence in chain and chain[point.sequence].hash != point.head:
            said = f"a checkpoint of {point.time:%Y-%m-%d %H:%M:%S}Z vouches for another entry here"
            findings.append(
                Finding(point.sequence, "changed", f"{said}: the log was rewritten up to it")
            )
        else:
            vouched = max(vouched, point.sequence)
    return vouched, findings
