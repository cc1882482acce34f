"""Never 2: two cases of one person cannot be linked by who lists the bucket: neither by names of
objects nor by their sizes.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from data_contracts import object_key
from data_contracts.object_key import CASES
from infra.case_store import CaseStore, CaseVault
from infra.store import ObjectStore

pytestmark = pytest.mark.stack
_numbers = itertools.count(1)
PICTURES = {"kim-minsu-passport.jpg": 14_485, "left20.jpg": 15_800}
DIGEST = "d" * 40
# What every case has, whoever it is of.
PAPERS = ("case-key.json", "request.json", "consent.jws", "approval.jws", "claim.json")


def filled(case_store: CaseStore, contacts: int) -> CaseVault:
    """A case of one person with a run: the same pictures and digests each time."""
    case_id = f"K-LINK-{next(_numbers):03d}"
    vault = case_store.create_key(case_id)
    rng = np.random.default_rng(5)
    for name, size in PICTURES.items():
        vault.put(object_key.reference(case_id, name), rng.bytes(size))
    for paper in PAPERS[1:]:
        vault.put(object_key.case(case_id, paper), b"{}")
    vault.put(object_key.stage(case_id, "follow", DIGEST), rng.bytes(9_000))
    for kind, count in (("S", 2), ("C", contacts)):
        for number in range(count):
            name = f"{kind}-{number + 1:02d}.jpg"
            vault.put(object_key.picture(case_id, "R", name), rng.bytes(40_000 + 300 * number))
    vault.put(object_key.run(case_id, "R", "report.html"), rng.bytes(150_000))
    return vault


def test_names_and_sizes_of_two_cases_have_nothing_in_common(
    case_store: CaseStore, store: ObjectStore
) -> None:
    """Beyond the papers that every case has no name is in both; no name tells of a file, a digest,
    a run or a contact, and a size only tells its power of two.
    """
    vaults = [filled(case_store, contacts) for contacts in (1, 4)]
    listed = [store.list(CASES, f"{v.case_id}/") for v in vaults]
    names = [
        {item.key.removeprefix(f"{v.case_id}/") for item in found}
        for v, found in zip(vaults, listed, strict=True)
    ]
    assert names[0] & names[1] == set(PAPERS)
    told = (*PICTURES, DIGEST, "S-0", "C-0", "report", ".jpg", "follow", "/R/", "pictures")
    for name in itertools.chain(*names):
        assert not [word for word in told if word in name], name
    sizes = {item.size for item in itertools.chain(*listed) if "case-key" not in item.key}
    steps = {4096, 16384, 32768, 65536, 262144}
    assert {size - 33 for size in sizes} <= steps


def test_what_is_hidden_is_found_again(case_store: CaseStore) -> None:
    """Who has the case's key lists and reads everything by its own name."""
    vault = filled(case_store, 2)
    pictures = vault.list(object_key.picture(vault.case_id, "R"))
    assert [item.key.rsplit("/", 1)[1] for item in pictures] == [
        "C-01.jpg",
        "C-02.jpg",
        "S-01.jpg",
        "S-02.jpg",
    ]
    assert len(vault.get(object_key.reference(vault.case_id, "left20.jpg"))) == 15_800
    assert vault.remove(pictures[0].key) == 1
    assert not vault.exists(pictures[0].key)
    assert len(vault.list(object_key.picture(vault.case_id, "R"))) == 3
