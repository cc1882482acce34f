"""Never 2 across cases: templates of one person in two cases are strangers to each other, and die
with their case's key.
"""

from __future__ import annotations

import pickle
import secrets
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
from demo_frames import PICTURES, frames_at
from scipy.stats import kstest
from subject_case import derive, subject_case

from data_contracts import object_key
from data_contracts.errors import KeyMissing, NotAuthorised
from data_contracts.policy import SearchSettings
from infra.case_store import CaseStore, CaseVault
from infra.store import ObjectStore
from models.registry import load
from tasks.observe.face import find_faces
from tasks.observe.match import SubjectSearch, match
from tasks.observe.rotation import Rotation
from tasks.observe.template import Derive, SubjectTemplate, build_template, from_bytes, to_bytes

SEARCH = SearchSettings()


def unit(rng: np.random.Generator, d: int) -> np.ndarray:
    """A random direction."""
    v = rng.standard_normal(d)
    return v / np.linalg.norm(v)


def test_two_cases_of_one_person_look_like_strangers() -> None:
    """Of 400 pairs of cases the cosines of the same face's templates are spread as those of
    unrelated directions.

    A cosine of independent directions in d dimensions is Beta((d - 1) / 2) on -1..1; Kolmogorov and
    Smirnov's test at one in 100,000. Comparing many templates of one face with many of another
    shows no difference either.
    """
    d = 64
    n = 400
    rng = np.random.default_rng(0)
    face = unit(rng, d)
    other = unit(rng, d)

    def stored(vector: np.ndarray) -> np.ndarray:
        return Rotation(secrets.token_bytes(32)).apply(vector[None])[0]

    same = [float(stored(face) @ stored(face)) for _ in range(n)]
    strangers = [float(stored(face) @ stored(other)) for _ in range(n)]
    for cosines in (same, strangers):
        assert (
            kstest((np.array(cosines) + 1) / 2, "beta", args=((d - 1) / 2, (d - 1) / 2)).pvalue
            > 1e-5
        )
    assert max(map(abs, same)) < 6 * d**-0.5


def test_real_templates_of_two_cases_cannot_be_compared() -> None:
    """The same pictures in two cases: raw vectors would be equal; the stored ones are as far apart
    as random directions.
    """
    models = load()
    made = [
        build_template(subject_case(c), PICTURES, models, derive).rotated
        for c in ("K-A-1", "K-B-1", "K-C-1")
    ]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert abs(made[i] @ made[j]) < 6 * len(made[i]) ** -0.5


@cache
def entrance() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """A frame in which the subject comes in."""
    return frames_at("entrance", "00.00", 9.0)


def verdict_at_the_entrance(template: SubjectTemplate) -> list[float]:
    """What `match` says of the subject's face in one frame, [] for nothing."""
    models = load()
    image, boxes, people = entrance()
    faces = [f for f in find_faces(image, boxes, models.face, 32) if people[f.person] == "S"]
    assert faces, "the test needs the subject's face"
    search = SubjectSearch(subject_case(), template, models, SEARCH)
    found = match(search, [image] * len(faces), faces).subject_p
    return [float(p) for p in found if not np.isnan(p)]


def test_a_template_under_another_secret_matches_nothing() -> None:
    """With the case's key the subject is found; the same bytes read with any other key find no
    one.
    """
    data = to_bytes(build_template(subject_case(), PICTURES, load(), derive))
    assert verdict_at_the_entrance(from_bytes(data, derive))
    for wrong in [secrets.token_bytes(32) for _ in range(10)]:
        assert not verdict_at_the_entrance(from_bytes(data, partial(_always, wrong)))


def _always(secret: bytes, _salt: bytes) -> bytes:
    return secret


def test_inside_a_case_nothing_is_lost() -> None:
    """Probabilities with the rotated template are those of the plain cosine, to 1e-6."""
    models = load()
    case = subject_case()
    plain: list[np.ndarray] = []
    real = type(models.embedder).embed

    def watched(self, images, landmarks):
        vectors = real(self, images, landmarks)
        plain.append(vectors.copy())
        return vectors

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(models.embedder), "embed", watched)
        template = build_template(case, PICTURES, models, derive)
    mean = plain[0].astype(float).mean(0)
    image, boxes, _ = entrance()
    faces = find_faces(image, boxes, models.face, 32)
    probes, _ = models.embed_and_mask(
        [image] * len(faces), [np.asarray(f.landmarks, np.float32) for f in faces]
    )
    turned = template.rotation.apply(probes) @ template.rotated
    assert turned == pytest.approx(probes.astype(float) @ (mean / np.linalg.norm(mean)), abs=1e-6)


def own_secret(vault: CaseVault) -> Derive:
    """The vault's way to make a template's secret."""
    return partial(vault.derive, "subject template")


@pytest.mark.stack
def test_the_secret_dies_with_the_case(
    vault: CaseVault, case_store: CaseStore, store: ObjectStore
) -> None:
    """After the case's key is destroyed neither the template nor its secret can be had, though the
    ciphertext is there.
    """
    path = object_key.stage(vault.case_id, "template", "d1", "bin")
    template = build_template(subject_case(vault.case_id), PICTURES, load(), own_secret(vault))
    vault.put(path, to_bytes(template))
    assert np.array_equal(from_bytes(vault.get(path), own_secret(vault)).rotated, template.rotated)
    secret = vault.derive("subject template", template.salt)
    case_store.destroy_key(vault.case_id)
    assert store.exists(object_key.CASES, vault.stored_name(path))
    with pytest.raises(KeyMissing):
        vault.get(path)
    with pytest.raises(KeyMissing):
        vault.derive("subject template", template.salt)
    # A case filed anew under the same id has another key: the salt is of no use to it.
    again = case_store.create_key(vault.case_id)
    assert again.derive("subject template", template.salt) != secret


def test_a_template_does_not_travel() -> None:
    """Neither the template nor its rotation can be pickled, so no message between processes holds
    one.
    """
    template = build_template(subject_case(), PICTURES, load(), derive)
    # Each refuses by itself: the template also without what in it refuses.
    for thing in (template, template.rotation, replace(template, rotation=None)):
        with pytest.raises(NotAuthorised):
            pickle.dumps(thing)


@pytest.mark.stack
def test_secrets_of_cases_purposes_and_salts_differ(case_store: CaseStore) -> None:
    """One case's secret opens nothing of another case, purpose or build, nor of the same case under
    another key.
    """
    one = case_store.create_key("K-SECRET-1")
    two = case_store.create_key("K-SECRET-2")
    got = [
        v.derive(p, s)
        for v in (one, two)
        for p in ("subject template", "else")
        for s in (b"a" * 32, b"b" * 32)
    ]
    assert len(set(got)) == len(got) == 8
    assert all(len(secret) == 32 for secret in got)
    assert one.derive("else", b"a" * 32) == case_store.open("K-SECRET-1").derive("else", b"a" * 32)
    case_store.destroy_key("K-SECRET-1")
    assert case_store.create_key("K-SECRET-1").derive("else", b"a" * 32) not in got


@pytest.mark.stack
def test_no_face_vector_lies_in_the_store(vault: CaseVault, store: ObjectStore) -> None:
    """Neither sealed nor opened do the stored bytes hold the embedding, in any float format, raw or
    of length 1.
    """
    models = load()
    seen = []
    network = type(models.embedder)
    real = getattr(network, "raw", network.embed)

    def watched(self, images, landmarks):
        vectors = real(self, images, landmarks)
        seen.extend([*vectors, vectors.mean(0)])
        return vectors

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, real.__name__, watched)
        data = to_bytes(
            build_template(subject_case(vault.case_id), PICTURES, models, own_secret(vault))
        )
    path = object_key.stage(vault.case_id, "template", "d1", "bin")
    vault.put(path, data)
    assert len(seen) == 4
    for vector in seen:
        for scaled in (vector, vector / np.linalg.norm(vector)):
            for kind in (np.float64, np.float32, np.float16):
                part = scaled.astype(kind).tobytes()[: 4 * np.dtype(kind).itemsize]
                assert part not in data
                assert part not in store.get(object_key.CASES, vault.stored_name(path))
    kept = from_bytes(data, own_secret(vault)).rotated
    assert max(abs(kept @ v / np.linalg.norm(v)) for v in seen) < 6 * len(kept) ** -0.5
