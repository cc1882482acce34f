"""The subject's way: chains of people who were seen; checked by hand against all chains."""

from itertools import combinations, pairwise, product

import numpy as np
import pytest

from tasks.people import way
from tasks.people.step import Crowd, Presence
from tasks.people.way import chances

CROWD = Crowd(0.05, 0.0001)
FACE = 8.0
LIKE = 3.0
UNLIKE = -3.0


def person(name, start, end, clothes=0.0, first=(0.0, 0.0), last=None, face=None, sure=True):
    """A presence on the ground."""
    a = np.array(first, float)
    b = np.array(first if last is None else last, float)
    tied = face is not None
    return Presence(name, start, end, a, b, face or 0.0, tied, clothes, tied and sure)


def found(*people, apart=lambda _a, _b: True, speed=2.5):
    """Chances of each."""
    return chances(people, apart, CROWD, speed)


SUBJECT = person("face", 0, 10, LIKE, last=(10, 0), face=FACE)


def in_pieces(name, start, end, n, clothes, place):
    """One person standing at a place, whose track was cut in pieces."""
    at = np.linspace(start, end, n + 1)
    return [
        person(f"{name}{k}", a, b - 0.2, clothes, place) for k, (a, b) in enumerate(pairwise(at))
    ]


def weight_of(chain, breaks, people, links):
    """Weight of a chain that is broken into visits before each index in `breaks`; 0 where one has
    nobody tied.
    """
    log = 0.0
    tied = False
    for k, i in enumerate(chain):
        before = chain[k - 1] if k else None
        if before is None or k in breaks:
            if before is not None:
                log += links.end[before] + links.again[before, i] if tied else -np.inf
            log += links.begin[i]
            tied = False
        else:
            log += (links.after if tied else links.before)[before, i]
        if people[i].tied or tied:
            log += people[i].log_odds if people[i].tied else 0.0
            tied = True
    return np.exp(log + links.end[chain[-1]]) if tied else 0.0


def test_the_sums_are_those_over_all_chains(monkeypatch):
    """Every chain, cut into visits in every way, listed and weighed by hand: the same."""
    people = [
        person("a", 0, 10, LIKE, (0, 0), (8, 0), face=1.0),
        person("b", 5, 14, 2.0, (20, 0)),
        person("c", 16, 40, 0.5, (15, 0), (30, 0)),
        person("d", 60, 80, 2.5, (50, 0), face=2.0, sure=False),
        person("e", 82, 90, 1.5, (52, 5)),
    ]
    kept = []
    made = way._links
    monkeypatch.setattr(way, "_links", lambda *given: kept.append(made(*given)) or kept[-1])
    got = found(*people)
    total = 1.0
    held = dict.fromkeys(got, 0.0)
    for size in range(1, len(people) + 1):
        for chain in combinations(range(len(people)), size):
            for cut in product((False, True), repeat=size - 1):
                breaks = {k + 1 for k, c in enumerate(cut) if c}
                weight = weight_of(chain, breaks, people, kept[0])
                total += weight
                for i in chain:
                    held[people[i].name] += weight
    assert got == pytest.approx({name: w / total for name, w in held.items()})


def test_clothes_at_the_end_of_a_walk_are_the_subjects():
    """Clothes alone state nothing; after a walk of the right length from a face they do."""
    walked = person("clothes", 17, 60, LIKE, (18, 0))
    assert found(walked)["clothes"] == 0.0
    both = found(SUBJECT, walked)
    assert both["clothes"] > 0.9
    assert both["face"] > 0.99


def test_before_the_face_counts_as_after_it():
    """Who walks towards the camera that sees the face is the subject as well."""
    face = person("face", 30, 40, LIKE, (18, 0), face=FACE)
    assert found(face, person("clothes", 0, 22, LIKE, (10, 0)))["clothes"] > 0.9


def test_other_clothes_are_somebody_else():
    """The walk fits, the clothes do not."""
    assert found(SUBJECT, person("other", 17, 60, UNLIKE, (18, 0)))["other"] < 0.3


def test_two_in_like_clothes_share_the_probability():
    """Both come at the same time from the same way: neither is stated as a fact."""
    two = found(SUBJECT, person("x", 17, 60, LIKE, (18, 0)), person("y", 17, 60, LIKE, (18, 1)))
    assert max(two["x"], two["y"]) < 0.6
    assert two["x"] + two["y"] > 0.9


def test_pieces_of_a_decoy_say_no_more_than_the_whole():
    """Somebody in like clothes, seen in one piece or in many, changes nothing for the subject, whom
    the time of the walk tells apart.
    """
    own = person("own", 17, 100, LIKE, (18, 0))
    for n in (1, 2, 4, 8, 16):
        decoy = in_pieces("decoy", 45, 95, n, LIKE, (30, 0))
        chance = found(SUBJECT, own, *decoy)
        assert chance["own"] > 0.85, n
        assert max(c for name, c in chance.items() if name.startswith("decoy")) < 0.1, n


def test_a_chain_without_a_face_takes_nothing_from_one_that_has_one():
    """However many pieces of people in like clothes there are, while the face is seen and after,
    the face stays what it is alone.
    """
    alone = found(SUBJECT)["face"]
    assert alone == pytest.approx(1 / (1 + np.exp(-FACE)))
    for n in (1, 4, 16):
        decoys = in_pieces("x", 0, 40, n, LIKE, (40, 0)) + in_pieces("y", 20, 90, n, LIKE, (25, 9))
        assert found(SUBJECT, *decoys)["face"] == pytest.approx(alone)


def test_pieces_of_the_subject_stay_the_subject():
    """The track of the subject is cut in pieces: each is as likely as the whole, nearly."""
    pieces = in_pieces("own", 17, 60, 8, LIKE, (18, 0))
    chance = found(SUBJECT, *pieces)
    assert min(chance[p.name] for p in pieces) > 0.8


def test_two_faces_far_apart_in_time_do_not_weaken_each_other():
    """The same face in the morning and in the evening: both as alone."""
    evening = person("evening", 30000, 30010, LIKE, (200, 0), face=FACE)
    chance = found(SUBJECT, evening)
    assert min(chance.values()) == pytest.approx(found(SUBJECT)["face"], abs=1e-3)


def test_two_faces_at_one_time_share():
    """At different places at one time at most one is the subject."""
    rival = person("rival", 2, 12, LIKE, (40, 0), face=FACE)
    chance = found(SUBJECT, rival)
    assert max(chance.values()) == pytest.approx(0.5, abs=0.01)


def test_later_in_like_clothes_is_a_question_at_most():
    """An hour later somebody in like clothes is seen, and many others: nobody is stated."""
    others = [person(f"o{k}", 3600 + 9 * k, 3640 + 9 * k, UNLIKE, (9 * k, 50)) for k in range(20)]
    chance = found(SUBJECT, *others, person("like", 3700, 3760, LIKE, (90, 0)))
    assert chance["like"] < 0.5


def test_a_face_that_speaks_against_is_passed_by():
    """The walk and the clothes fit, the face was seen and is somebody else's."""
    walked = person("clothes", 17, 60, LIKE, (18, 0))
    refused = Presence(**{**vars(walked), "log_odds": -5.0})
    chance = found(SUBJECT, refused)
    assert chance["clothes"] < 0.3
    assert chance["face"] == pytest.approx(found(SUBJECT)["face"])


def test_nobody_walks_faster_than_people_do():
    """Fifty metres in two seconds: the clothes are somebody else's."""
    assert found(SUBJECT, person("clothes", 12, 60, LIKE, (60, 0)))["clothes"] < 0.05


def test_at_one_place_at_one_time_two_tracks_may_be_one_person():
    """A track that was split is not a rival; at another place it is."""
    part = person("part", 5, 40, LIKE)
    assert found(SUBJECT, part, apart=lambda _a, _b: False)["part"] > 0.85
    assert found(SUBJECT, part)["part"] < 0.01


def test_nobody_is_nobody():
    """No people, no chances."""
    assert found() == {}
