"""Never 2: no one but the subject is recognised; other people's features exist only inside the
comparison.
"""

from __future__ import annotations

import dataclasses
import gc
import pickle
import weakref
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from demo_frames import PICTURES, frames_at
from subject_case import derive, subject_case
from walk_scene import observe, site, straight, two_cameras

from data_contracts.camera import Origin, Site
from data_contracts.errors import ContractViolation, NotAuthorised
from data_contracts.policies import load_policy
from data_contracts.policy import SearchSettings
from data_contracts.run import Run
from data_contracts.tables.contracts import ALL, LOOKS
from flows.runtime.environment import environment
from flows.runtime.open_case import OpenCase
from flows.runtime.stage import Work
from flows.stages.claim import _new_claim as new_claim
from flows.stages.claim import _run_of as run_of
from flows.stages.people import find_people
from infra.settings import HOME_VARIABLE, Settings
from models.registry import load
from tasks.exposure.assess import assess
from tasks.observe.face import find_faces
from tasks.observe.match import SubjectSearch, Verdicts, match
from tasks.observe.template import build_template
from tasks.people.join import join
from tasks.people.track import track
from tests.tasks.exposure.test_assess import stand


def test_no_table_has_a_place_for_a_feature() -> None:
    """No contract has a column of lists: an embedding could not be stored if someone tried."""
    assert not [(c.name, k.name) for c in ALL for k in c.columns if k.kind == "list"]
    answers = {"subject_p", "mask_p", "compared", "masked_llr"}
    assert {f.name for f in dataclasses.fields(Verdicts)} == answers
    one = np.zeros(2)
    wide = np.zeros((2, 128))
    for bad in ((wide, one, one, one), (one, one, one, wide), (np.zeros(128), one, one, one)):
        with pytest.raises(ContractViolation):
            Verdicts(*bad)


def test_strangers_get_no_answer_and_their_features_die(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of faces that are not the subject's nothing comes back but NaN, and no feature array outlives
    the call.
    """
    models = load()
    case = subject_case()
    template = build_template(case, PICTURES, models, derive)
    image, boxes, people = frames_at("entrance", "01.30", 17.0)
    faces = find_faces(image, boxes, models.face, 32)
    assert faces, "the test needs a stranger's face"
    made: list[weakref.ref] = []
    real = type(models).embed_and_mask

    def watched(self, images, landmarks):
        vectors, masks = real(self, images, landmarks)
        made.append(weakref.ref(vectors))
        return vectors, masks

    monkeypatch.setattr(type(models), "embed_and_mask", watched)
    settings = SearchSettings(propose_probability=0.9, masked_llr=4.9)
    search = SubjectSearch(case, template, models, settings)
    verdicts = match(search, [image] * len(faces), faces)
    assert made
    assert "S" not in {people[f.person] for f in faces}
    assert np.isnan(verdicts.subject_p).all()
    assert np.isnan(verdicts.masked_llr).all()
    gc.collect()
    assert all(ref() is None for ref in made), "a feature array is still alive after the comparison"
    assert len(pickle.dumps(verdicts)) < 1000, "what travels is too small to hold a feature"


def test_another_case_s_template_is_refused() -> None:
    """A template of one case cannot be compared in another: nobody is linked across cases."""
    models = load()
    template = build_template(subject_case("K-OTHER-1"), PICTURES, models, derive)
    search = SubjectSearch(subject_case("K-2026-0042"), template, models, SearchSettings())
    with pytest.raises(NotAuthorised):
        match(search, [], [])


def test_people_are_joined_without_looks() -> None:
    """Shuffling everything that comes from a face changes no join: position and time alone
    decide.
    """
    cameras = two_cameras()
    walkers = {
        "p": (1.7, straight((2.0, 2.0), (7.0, 5.0), 0.0)),
        "q": (1.6, straight((7.0, 2.0), (2.0, 6.0), 0.0)),
    }
    found, _ = observe(cameras, walkers, 4, np.random.default_rng(0))
    tracks = pd.concat([track(found, c) for c, _ in cameras], ignore_index=True)
    looks = tracks.copy()
    rng = np.random.default_rng(1)
    for column in ("face_px", "subject_p", "mask_p", "masked_llr"):
        looks[column] = rng.random(len(looks))
    place = site(*(c for c, _ in cameras))
    plain = join(tracks, place, np.random.default_rng(0))[1]
    shuffled = join(looks, place, np.random.default_rng(0))[1]
    pd.testing.assert_frame_equal(
        plain.drop(columns="subject_p"), shuffled.drop(columns="subject_p")
    )


def followed() -> tuple[pd.DataFrame, Site]:
    """Detections of five people in a room that two cameras see, one after the other."""
    cameras = two_cameras()
    walkers = {n: (1.7, straight((2.0, 2.0), (7.0, 5.0), 4.0 * i)) for i, n in enumerate("pqrst")}
    found, _ = observe(cameras, walkers, 24, np.random.default_rng(0))
    return found, site(*(c for c, _ in cameras))


def traced(case_id: str, run: Run, found: pd.DataFrame, place: Site) -> list[str]:
    """Names of the persons of one run of the flow's own stage, in order of time."""
    case = OpenCase(subject_case(case_id), None, place, load_policy("who"))
    work = Work(run, case, None, find_people.settings(case), {})
    _, persons, members, _ = find_people.function(work, detections=found, looks=LOOKS.empty())
    assert set(members["person_id"]) == set(persons["person_id"])
    return list(persons.sort_values("t_utc")["person_id"].unique())


@pytest.fixture
def _home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stage's settings are those of a home."""
    monkeypatch.setenv(HOME_VARIABLE, str(settings.home))
    environment.cache_clear()
    yield
    environment.cache_clear()


@pytest.mark.stack
@pytest.mark.usefixtures("_home")
def test_names_link_neither_runs_nor_cases() -> None:
    """The same footage in two runs of one case and in another case: all names differ, and their
    order follows no one's.

    A run that was killed goes on with its salt, so that what is finished stays true.
    """
    found, place = followed()
    runs = [new_run("K-A-1"), new_run("K-A-1"), new_run("K-B-1")]
    assert len({r.salt for r in runs}) == 3
    names = [traced(r.case_id, r, found, place) for r in runs]
    assert len({n for run in names for n in run}) == 15
    assert traced("K-A-1", runs[0], found, place) == names[0]
    names.append(traced("K-A-1", new_run("K-A-1"), found, place))
    assert len({tuple(np.argsort(run)) for run in names}) > 1, (
        "names that sort by time would tell who came first"
    )


def new_run(case_id: str) -> Run:
    """A run as `begin` makes it for a case that was never run."""
    case = OpenCase(subject_case(case_id), None, None, load_policy("who"))
    return run_of(case_id, new_claim(case, "flow"))


def test_contact_numbers_are_drawn_anew() -> None:
    """Who is C-01 is chance: over the salts of 20 runs at least three of four contacts are it, and
    none nearly always.
    """
    points = pd.concat([stand(n, 100 * i, 40, 1.0) for i, n in enumerate("ABCD")])
    encounters = pd.DataFrame({"encounter_id": sorted(set(points["encounter_id"])), "doubt": ""})
    encounters["review"] = "unreviewed"
    firsts: Counter[str] = Counter()
    for _ in range(20):
        rng = np.random.default_rng(int(new_run("K-A-1").salt, 16))
        contacts = assess(points, encounters, load_policy("demo-short"), rng)
        assert sorted(contacts["contact_id"]) == ["C-01", "C-02", "C-03", "C-04"]
        firsts[str(contacts.set_index("contact_id").loc["C-01", "person_id"])] += 1
    assert len(firsts) >= 3
    assert max(firsts.values()) < 17


def test_views_that_do_not_meet_share_no_one() -> None:
    """One walker, seen by two cameras at the same time and place as far as the ground tells:
    without overlap, two names.
    """
    cameras = two_cameras()
    found, _ = observe(
        cameras, {"p": (1.7, straight((2.0, 2.0), (7.0, 5.0), 0.0))}, 4, np.random.default_rng(0)
    )
    tracks = pd.concat([track(found, c) for c, _ in cameras], ignore_index=True)
    apart = Site(cameras=tuple(c for c, _ in cameras), origin=Origin(lon=0.0, lat=0.0))
    together = join(tracks, site(*(c for c, _ in cameras)), np.random.default_rng(1))[1]
    assert together.groupby("person_id")["camera_id"].nunique().max() == 2
    members = join(tracks, apart, np.random.default_rng(1))[1]
    assert set(members["camera_id"]) == {"a", "b"}
    assert members.groupby("person_id")["camera_id"].nunique().max() == 1
