"""The subject's way: chains of people who were seen; checked by hand against all chains."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from tasks.people.way import Crowd, Presence, _step, chances

CROWD = Crowd(20, 0.05, 0.0001)


def person(name, start, end, log_odds, first=(0.0, 0.0), last=None, tied=False):
    """A presence on the ground."""
    a = np.array(first, float)
    b = np.array(first if last is None else last, float)
    return Presence(name, start, end, a, b, log_odds, tied)


def found(*people, apart=lambda _a, _b: True, speed=2.5):
    """Chances of each."""
    return chances(people, apart, CROWD, speed)


def test_the_sums_are_those_over_all_chains() -> None:
    """Every chain listed and weighed by hand gives the same probabilities."""
    people = [
        person("a", 0, 10, 1.0, (0, 0), (8, 0), tied=True),
        person("b", 5, 20, 2.0, (20, 0)),
        person("c", 16, 40, 0.5, (15, 0), (30, 0)),
        person("d", 60, 80, 2.5, (50, 0), tied=True),
        person("e", 62, 90, 1.5, (40, 5)),
    ]
    weight = {}
    for size in range(len(people) + 1):
        for chain in combinations(people, size):
            steps = [_step(p, q, lambda _a, _b: True, CROWD, 2.5) for p, q in pairwise(chain)]
            untied = bool(chain) and not any(p.tied for p in chain)
            log = sum(p.log_odds for p in chain) + sum(steps) - np.log(20) * untied
            weight[tuple(p.name for p in chain)] = np.exp(log)
    total = sum(weight.values())
    wanted = {p.name: sum(w for c, w in weight.items() if p.name in c) / total for p in people}
    assert found(*people) == pytest.approx(wanted)


def test_clothes_at_the_end_of_a_walk_are_the_subjects() -> None:
    """Clothes alone are a question; after a walk of the right length from a face they are not."""
    face = person("face", 0, 10, 8.0, last=(10, 0), tied=True)
    alone = found(person("clothes", 17, 60, 3.0, (18, 0)))["clothes"]
    both = found(face, person("clothes", 17, 60, 3.0, (18, 0)))
    assert alone < 0.6
    assert both["clothes"] > 0.9
    assert both["face"] > 0.99


def test_before_the_face_counts_as_after_it() -> None:
    """Who walks towards the camera that sees the face is the subject as well."""
    face = person("face", 30, 40, 8.0, (18, 0), tied=True)
    assert found(face, person("clothes", 0, 22, 3.0, (10, 0)))["clothes"] > 0.9


def test_two_in_like_clothes_share_the_probability() -> None:
    """Both come at the same time from the same way: neither is stated as a fact."""
    face = person("face", 0, 10, 8.0, last=(10, 0), tied=True)
    two = found(face, person("x", 17, 60, 3.0, (18, 0)), person("y", 17, 60, 3.0, (18, 1)))
    assert max(two["x"], two["y"]) < 0.6
    assert two["x"] + two["y"] > 0.9


def test_nobody_walks_faster_than_people_do() -> None:
    """Fifty metres in two seconds: the clothes are somebody else's."""
    face = person("face", 0, 10, 8.0, tied=True)
    assert found(face, person("clothes", 12, 60, 3.0, (50, 0)))["clothes"] < 0.05


def test_at_one_place_at_one_time_two_tracks_may_be_one_person() -> None:
    """A track that was split is not a rival; at another place it is."""
    face = person("face", 0, 30, 8.0, tied=True)
    part = person("part", 10, 40, 2.0)
    assert found(face, part, apart=lambda _a, _b: False)["part"] > 0.85
    assert found(face, part)["part"] < 0.01


def test_unknown_places_say_nothing_of_the_way() -> None:
    """A camera without calibration: clothes count, the way does not."""
    face = person("face", 0, 10, 8.0, tied=True)
    blind = person("blind", 20, 30, 2.0, (np.nan, np.nan))
    assert found(face, blind)["blind"] == pytest.approx(1 / (1 + np.exp(-2.0)), abs=0.01)


def test_nobody_is_nobody() -> None:
    """No people, no chances."""
    assert found() == {}
