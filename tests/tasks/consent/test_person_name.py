"""Names that look alike are one person's; names that look different are not."""

import pytest

from tasks.consent.person_name import folded, same_person


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Oleg", "\u041eleg"),
        ("Lee", "Iee"),
        ("staff 10", "staff lO"),
        ("modern", "rnodern"),
        ("김민수", "김민수\u1160"),
        ("김민수", "\u1100\u1175\u11b7민수"),
        ("José", "Jose"),
        ("Dr", "\u13a0r"),  # Cherokee
        ("Dr Kim", "Dr\u034f \u2800Kim\ufe0f"),
    ],
)
def test_alike(a, b):
    """Other scripts, full width, invisible characters, accents, jamo: one name."""
    assert same_person(a, b)


@pytest.mark.parametrize(
    ("a", "b"),
    [("Dr Kim", "Officer Lee"), ("김민수", "금민수"), ("staff 10", "staff 11"), ("Анна", "Инна")],
)
def test_different(a, b):
    """What a reader tells apart stays apart."""
    assert not same_person(a, b)


def test_nothing_to_see():
    """A name of invisible characters folds to nothing."""
    assert folded("\u200b \u3164\u115f\u2060--") == ""
