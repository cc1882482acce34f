"""Who may write to a bucket puts objects there that would fill the memory of whoever reads them:
none of them is read, and what is ours beside them still counts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3

from data_contracts import object_key
from data_contracts.errors import BadInput, NotAuthorised
from data_contracts.signature import PublicKeys
from flows.cases import journal
from flows.cases.filing import store_case
from flows.cases.receipts import own_receipts
from flows.cases.throwaway import papers
from flows.runtime import environment as environment_module
from flows.runtime import key_list
from flows.runtime.environment import Environment, site, trusted_keys
from flows.runtime.open_case import open_case
from flows.stages.claim import read_claim
from flows.stages.published import published_runs
from infra import case_store
from infra.signing import ensure_signing_key, publish_public_key, published_keys
from infra.token_list import TokenList
from tasks.search.itinerary import read_itinerary

pytestmark = pytest.mark.stack
DEMO = Path(__file__).parents[2] / "demo"
HUGE = b"\xff" * 3_000_000
# More than the demo's papers and camera file have, less than HUGE.
MOST = 200_000
_numbers = itertools.count(1)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many bytes each answer of the store had that was read."""
    sizes = [0]
    real = urllib3.response.HTTPResponse.read

    def spied(self: urllib3.response.HTTPResponse, *args: object, **given: object) -> bytes:
        data = real(self, *args, **given)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(urllib3.response.HTTPResponse, "read", spied)
    for module, name in (
        (case_store, "PAPER_BYTES"),
        (key_list, "PAPER_BYTES"),
        (environment_module, "MAX_BYTES"),
    ):
        monkeypatch.setattr(module, name, MOST)
    yield sizes
    assert max(sizes) <= 2 * MOST


@pytest.fixture
def case_id(env: Environment) -> str:
    """A filed case."""
    visits = read_itinerary((DEMO / "itinerary.csv").read_text())
    name = f"K-HUGE-{next(_numbers):03d}"
    store_case(env, papers(env, name, visits, {"a.jpg": b"picture"}, "demo-short", "test"))
    return name


def over(env: Environment, bucket: str, key: str) -> None:
    """Put a huge object there, over what there is."""
    env.store.put(bucket, key, HUGE)


def test_over_a_token(env: Environment, case_id: str, read: list[int]) -> None:
    """The token cannot be used any more, as after any other version over it."""
    for item in env.store.list_versions(object_key.AUDIT, "tokens/"):
        if item.key.endswith("/filed"):
            over(env, object_key.AUDIT, item.key)
    with pytest.raises(NotAuthorised, match="used for a case before"):
        open_case(case_id, env)
    assert max(read) <= 2 * MOST


def test_over_the_key_of_the_list_of_tokens(
    env: Environment, case_id: str, read: list[int]
) -> None:
    """The version that was there first counts."""
    for item in env.store.list_versions(object_key.AUDIT, object_key.LIST_KEYS):
        over(env, object_key.AUDIT, item.key)
    env.__dict__.pop("tokens", None)
    assert isinstance(env.tokens, TokenList)
    open_case(case_id, env)


def test_as_the_next_list_of_keys(env: Environment, case_id: str, read: list[int]) -> None:
    """It is not a version; the one before it stays the present one."""
    before = trusted_keys(env)
    listed = env.store.list(object_key.AUDIT, object_key.KEY_LISTS)
    numbers = [object_key.read_key_list(item.key) or 0 for item in listed]
    over(env, object_key.AUDIT, object_key.key_list(max(numbers) + 1))
    assert trusted_keys(env) == before


def test_as_a_receipt_or_a_journal(env: Environment, case_id: str, read: list[int]) -> None:
    """Neither is one."""
    over(env, object_key.AUDIT, f"{object_key.receipts(case_id)}20261116T090000Z.jws")
    over(env, object_key.CASES, object_key.purge_journal(case_id))
    assert list(own_receipts(env, case_id)) == []
    assert journal.read(env, case_id) is None


@pytest.mark.parametrize("found", [HUGE, b"{", b"[" * 60_000])
def test_over_the_published_keys(env: Environment, read: list[int], found: bytes) -> None:
    """What is not a list of keys does not keep the stack from starting: it is replaced."""
    env.store.put(object_key.SITE, object_key.INSTALLATION_KEYS, found)
    key = ensure_signing_key(env.settings)
    publish_public_key(env.store, key)
    listed = PublicKeys.model_validate_json(published_keys(env.store)).keys
    assert [k.key_id for k in listed] == [key.public.key_id]


@pytest.mark.parametrize(
    ("key", "act"),
    [
        (lambda case_id: object_key.claim(case_id), read_claim),
        (lambda case_id: object_key.published(case_id, "r-1"), published_runs),
    ],
    ids=["claim", "published pointer"],
)
def test_over_a_paper_of_the_case(
    env: Environment,
    case_id: str,
    read: list[int],
    key: Callable[[str], str],
    act: Callable[[case_store.CaseVault], object],
) -> None:
    """One clear error."""
    vault = env.cases.open(case_id)
    vault.put(key(case_id), b"{}")
    over(env, object_key.CASES, vault.stored_name(key(case_id)))
    with pytest.raises(BadInput, match="more than"):
        act(vault)


def test_over_the_cameras(env: Environment, read: list[int]) -> None:
    """One clear error."""
    over(env, object_key.SITE, object_key.CAMERAS)
    with pytest.raises(BadInput, match="more than"):
        site(env)
