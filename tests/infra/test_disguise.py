"""Names and sizes that tell nothing: found again by who has the key, alike for nobody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.disguise import NameCipher, pad, padded_size, unpad

NAMES = NameCipher(b"1" * 32)
PARTS = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=120)


@given(st.lists(PARTS, min_size=1, max_size=4))
def test_a_name_comes_back(parts: list[str]) -> None:
    """Any key below a folder comes back from its stored name; no part is longer than stores
    allow, and another case's cipher cannot read it.
    """
    key = "/".join(("K-2026-0001", "runs", *parts))
    stored = NAMES.stored(key)
    assert NAMES.key(stored) == key
    assert stored == NAMES.stored(key)
    assert stored.startswith(NAMES.prefix(key))
    assert max(len(part) for part in stored.split("/")) <= 200
    assert NameCipher(b"2" * 32).key(stored) is None
    assert NameCipher(b"2" * 32).stored(key) != stored


def test_what_every_case_has_keeps_its_name() -> None:
    """Papers at the top of a case are found without its key: there is nothing to tell."""
    assert NAMES.stored("K-1/request.json") == "K-1/request.json"
    assert NAMES.prefix("K-1/") == "K-1/"
    assert NAMES.prefix("K-1/runs/x/pictures/") == "K-1/runs/"


@pytest.mark.parametrize("name", ["K-1/runs/S-01.jpg", "K-1/runs/AAAA", "K-1/runs/é"])
def test_a_name_made_elsewhere_is_nobody_s(name: str) -> None:
    """What somebody else put there has no key."""
    assert NAMES.key(name) is None


def test_lengths_of_names_tell_little() -> None:
    """Names of a picture and of a table are as long as each other."""
    assert len(NAMES.stored("K-1/runs/r/pictures/S-01.jpg")) == len(NAMES.stored("K-1/runs/r/x"))


@given(st.binary(max_size=9000))
def test_padding_comes_off(data: bytes) -> None:
    """The data come back, also with zeros and marks at their end; sizes are powers of two."""
    padded = pad(data)
    assert unpad(padded) == data
    assert len(padded) == padded_size(len(data))
    assert len(padded) >= 4096
    assert len(padded) & (len(padded) - 1) == 0


def test_unpadded_data_are_refused() -> None:
    """An object that was not padded is not read as one that was."""
    with pytest.raises(ValueError, match="end mark"):
        unpad(b"\0" * 16)
