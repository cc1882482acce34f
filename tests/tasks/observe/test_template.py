"""The stored template: rotated, renewable, checked when it is read."""

import io
import pickle
import secrets

import numpy as np
import pytest
from demo_frames import PICTURES
from subject_case import derive, subject_case

from data_contracts.errors import BadInput, ModelUnavailable, NotAuthorised
from models.registry import load
from tasks.observe.rotation import Rotation
from tasks.observe.template import FORMAT, SubjectTemplate, build_template, from_bytes, to_bytes

# R e1 of the secret 0, 1, 2, ... 31 in four dimensions, as first computed.
KNOWN = [0.31466745985953826, -0.8210538638158562, 0.12152445463944363, -0.46052877146079013]


def made_of(vector, case_id="K-2026-0042", key=derive):
    """A template as `build_template` makes it, of a vector given here."""
    salt = secrets.token_bytes(32)
    rotation = Rotation(key(salt))
    return SubjectTemplate(case_id, salt, rotation.apply(vector[None])[0], rotation)


def unit(rng, d, n=1):
    """n random vectors of length 1."""
    v = rng.standard_normal((n, d))
    return v / np.linalg.norm(v, axis=1, keepdims=True)


@pytest.mark.parametrize("d", [128, 512, 1024])
def test_a_rotation_changes_no_angle(d):
    """Cosines between any two vectors are the same before and after, far within 1e-6; both
    directions of every axis.
    """
    rng = np.random.default_rng(0)
    rotation = Rotation(secrets.token_bytes(32))
    vectors = unit(rng, d, 20)
    turned = rotation.apply(vectors)
    assert np.abs(turned @ turned.T - vectors @ vectors.T).max() < 1e-12
    whole = rotation.apply(np.eye(d))
    assert np.abs(whole @ whole.T - np.eye(d)).max() < 1e-12
    single = rotation.apply(vectors.astype(np.float32))
    assert np.abs(single @ turned[0] - vectors @ vectors[0]).max() < 1e-6


def test_rotations_are_spread_evenly():
    """Over many secrets each entry of R v has mean 0 and variance 1 / d, the normal law's kurtosis,
    and no correlation.

    The moments of Haar's measure (Weingarten): E x^4 = 3 / (d (d + 2)). A matrix of reflections
    without the right signs has a first entry that is never positive, which the mean of v = e1 would
    show.
    """
    d = 32
    n = 3000
    for vector in (np.eye(d)[:1], np.full((1, d), d**-0.5)):
        got = np.concatenate([Rotation(secrets.token_bytes(32)).apply(vector) for _ in range(n)])
        assert np.abs(got.mean(0)).max() < 5 * (d * n) ** -0.5
        assert np.abs(d * (got**2).mean(0) - 1).max() < 5 * (2 / n) ** 0.5
        assert abs((got**4).mean() * d * (d + 2) / 3 - 1) < 0.05
        apart = np.corrcoef(got.T) - np.eye(d)
        assert np.abs(apart).max() < 5.5 * n**-0.5


def test_the_same_secret_gives_the_same_rotation_everywhere():
    """A worker that derives the secret turns faces as the template was turned; the numbers are
    fixed for all machines.
    """
    first = Rotation(bytes(range(32))).apply(np.eye(4))
    assert np.array_equal(Rotation(bytes(range(32))).apply(np.eye(4)), first)
    assert first[0] == pytest.approx(KNOWN, abs=1e-12)


def test_a_template_survives_storing_without_its_secret():
    """What is stored is read again with the case's key; the bytes hold neither the secret nor the
    vector before it.
    """
    vector = unit(np.random.default_rng(1), 1024)[0]
    template = made_of(vector)
    data = to_bytes(template)
    back = from_bytes(data, derive)
    assert (back.case_id, back.salt) == (template.case_id, template.salt)
    assert np.array_equal(back.rotated, template.rotated)
    assert back.rotation.apply(vector[None])[0] @ back.rotated == pytest.approx(1, abs=1e-6)
    assert derive(template.salt) not in data
    for kind in (np.float64, np.float32, np.float16):
        assert vector.astype(kind).tobytes()[:16] not in data


def damaged():
    """Bytes that are not a stored template."""
    whole = to_bytes(made_of(unit(np.random.default_rng(2), 128)[0]))
    numbers = np.frombuffer(whole[-1024:], "<f8")
    yield from (
        b"",
        b"nonsense",
        b"PK\x03\x04broken",
        whole[:5],
        whole[:30],
        whole[:-1],
        whole[:-8],
        whole[:47],
    )
    yield whole[:-1024] + (numbers * np.nan).tobytes()
    yield whole[:-1024] + (numbers * 2).tobytes()
    yield whole.replace(b"K-2026", b"\xff-2026")


@pytest.mark.parametrize("data", list(damaged()), ids=range(11))
def test_what_is_no_template_is_refused(data):
    """Damage of any kind is one clear line, and nothing in it is executed."""
    with pytest.raises(BadInput, match="build it again"):
        from_bytes(data, derive)


def test_a_template_cut_by_a_zero_is_refused():
    """What is left has length 1 as before; that a number is missing is told by their count."""
    salt = bytes(32)
    rotated = np.array([0.6, 0.8, 0.0])
    whole = to_bytes(SubjectTemplate("K-2026-0042", salt, rotated, Rotation(derive(salt))))
    assert np.array_equal(from_bytes(whole, derive).rotated, rotated)
    with pytest.raises(BadInput, match="damaged"):
        from_bytes(whole[:-8], derive)


def test_templates_of_the_first_format_are_refused():
    """Those held the face vectors themselves; they are built again, not converted."""
    old = io.BytesIO()
    np.savez(
        old,
        head=np.array(["1", "K-2026-0042", "a.jpg"]),
        vectors=unit(np.random.default_rng(3), 1024),
    )
    with pytest.raises(BadInput, match=f"format {FORMAT}: build it again"):
        from_bytes(old.getvalue(), derive)


def test_a_template_does_not_travel():
    """Neither the template nor its rotation can be pickled, and neither shows its numbers."""
    template = made_of(unit(np.random.default_rng(4), 128)[0])
    for thing in (template, template.rotation):
        with pytest.raises(NotAuthorised, match="does not travel"):
            pickle.dumps(thing)
        assert "0." not in repr(thing)


def test_a_build_draws_a_new_secret():
    """Renewal: two builds from the same pictures give vectors that have nothing in common, and both
    find the subject.
    """
    try:
        models = load()
    except ModelUnavailable as error:
        pytest.skip(str(error))
    one, two = (build_template(subject_case(), PICTURES, models, derive) for _ in range(2))
    assert one.salt != two.salt
    assert abs(one.rotated @ two.rotated) < 6 * len(one.rotated) ** -0.5
