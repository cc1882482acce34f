"""Never 2 while it runs: every feature vector that a model makes is remembered and looked for
everywhere else.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import os
import pickle
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from demo_frames import DEMO, PICTURES, START
from prints import Prints, live, long_run_of_numbers, of_feature_size, sequences
from subject_case import derive, subject_case
from watch import Collected, WatchWorker, record_messages, saved_arrays, watching

from data_contracts import object_key
from data_contracts.camera import read_site_file
from data_contracts.errors import EncounterError, NotAuthorised
from data_contracts.policy import SearchSettings
from data_contracts.run import SegmentJob
from flows.cases.filing import store_case
from flows.cases.throwaway import papers
from flows.cli.request import read_references
from flows.runtime import fan_out
from flows.runtime.environment import Environment, environment
from flows.runtime.open_case import open_case
from flows.runtime.segment_job import run_unit
from flows.stages.claim import begin
from flows.stages.template import make_template
from infra.settings import Settings
from models.registry import Models, load
from models.settings import ModelSettings
from tasks.footage.reading import frames
from tasks.footage.segment import SegmentInput
from tasks.footage.video import write_clip
from tasks.observe.follow import follow_segment
from tasks.observe.match import SubjectSearch
from tasks.observe.scan import scan_segment
from tasks.observe.template import build_template
from tasks.search.itinerary import read_itinerary

SITE = read_site_file(DEMO / "cameras.geojson")
KEY = "entrance/2026-11-16/00/00.00.mp4"
# The object store is shared with other tests: a day on which they look at nothing.
SHORT = "entrance/2026-11-15/10/00.00.mp4"
SHORT_START = datetime(2026, 11, 15, 10, tzinfo=UTC)
SEGMENT = SegmentInput(SITE.by_id["entrance"], KEY, START, (DEMO / "footage" / KEY).read_bytes())


def test_prints_are_found_wherever_they_are() -> None:
    """The test's own instrument: a vector is found in any form that it could get out in, and
    nothing else is.
    """
    rng = np.random.default_rng(
        0x2E4E2
    )  # a seed of its own: another test's vector from the same seed would be this one
    vector = rng.normal(size=(1, 1024)).astype(np.float32)
    other = rng.normal(size=(1, 1024)).astype(np.float32)
    prints = Prints()
    prints.add(vector)
    for guilty, say in ((vector, True), (other, False)):
        unit = guilty / np.linalg.norm(guilty)
        forms = [
            guilty,
            unit,
            unit.astype(np.float64),
            guilty.astype(np.float16),
            np.c_[other, guilty],
            guilty[0, 9:200],
        ]
        assert [prints.in_array(f) for f in forms] == [say] * 6
        raw = [
            b"x" * 3 + f.tobytes() + b"y"
            for f in (guilty, unit.astype(np.float64), guilty.astype(np.float16))
        ]
        texts = [
            str(guilty[0].tolist()).encode(),
            repr(unit).encode(),
            pd.DataFrame(guilty).to_csv().encode(),
        ]
        assert [prints.in_bytes(b) for b in (*raw, *texts)] == [say] * 6
        nested = {"a": [pickle.dumps({"b": guilty[0].tolist()})]}
        assert any(prints.in_array(a) for a in sequences(nested)) is say
    keeper = [vector * 1]
    assert live(prints)
    keeper.clear()
    del vector, guilty, unit, forms, raw, texts, nested
    assert not live(prints)


def test_nothing_of_a_feature_outlives_the_comparison() -> None:
    """Scan and follow, watched: after each comparison its arrays are dead; tables, logs and live
    objects hold none.
    """
    loaded = load()
    case = subject_case(from_utc=START + timedelta(seconds=6), to_utc=START + timedelta(seconds=11))
    template = build_template(case, PICTURES, loaded, derive)
    log = Collected()
    logging.getLogger().addHandler(log)
    try:
        with watching(loaded) as watch:
            results = [
                look(SEGMENT, SubjectSearch(case, template, loaded, SearchSettings()))
                for look in (scan_segment, follow_segment)
            ]
    finally:
        logging.getLogger().removeHandler(log)
    assert watch.calls > 5
    assert watch.prints.count > 20
    assert watch.faults == []
    for result in results:
        assert len(result[0])
        assert not watch.prints.in_bytes(pickle.dumps(result))
        assert not any(of_feature_size(a) and a.ndim > 1 for a in sequences(list(result)))
    for record in log.records:
        assert not watch.prints.in_text(record.getMessage().encode())
        assert not any(watch.prints.in_array(a) for a in sequences(record.args))
    assert live(watch.prints) == []


def test_the_runtime_keeps_no_face() -> None:
    """OpenVINO's requests, which keep their tensors between calls, are blank after a template was
    built and a scan done.
    """
    loaded = load(ModelSettings(runtime="openvino"))
    case = subject_case(to_utc=START + timedelta(seconds=11))
    template = build_template(case, PICTURES, loaded, derive)
    scan_segment(SEGMENT, SubjectSearch(case, template, loaded, SearchSettings()))
    for model in (loaded.embedder, loaded.face, loaded.person):
        requests = [entry[0] for entry in model._session._engine._compiled.values()]
        assert requests
        for tensor in (t for r in requests for t in (*r.input_tensors, *r.output_tensors)):
            assert not tensor.data.any()


class Spoilt(Exception):
    """A fault as a library might raise it: with values in its text and in its arguments."""


def spoil(monkeypatch: pytest.MonkeyPatch, loaded: Models, prints: Prints) -> None:
    """From now on the calibration fails and shows what it was given; every vector made is
    remembered.
    """
    real = type(loaded).embed_and_mask

    def watched(self, images, landmarks):
        vectors, masks = real(self, images, landmarks)
        prints.add(vectors)
        return vectors, masks

    def fails(self, similarity, *_):
        raise Spoilt(f"values {similarity}", prints._new[-1])

    monkeypatch.setattr(type(loaded), "embed_and_mask", watched)
    monkeypatch.setattr(type(loaded.calibration), "probability", fails)


def test_a_failure_inside_the_comparison_carries_nothing_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error has no cause, no frame with a feature in it and none of the library's text;
    NotAuthorised stays itself.
    """
    loaded = load()
    case = subject_case()
    prints = Prints()
    template = build_template(case, PICTURES, loaded, derive)
    spoil(monkeypatch, loaded, prints)
    with pytest.raises(EncounterError) as caught:
        follow_segment(SEGMENT, SubjectSearch(case, template, loaded, SearchSettings()))
    error = caught.value
    assert prints.count
    assert "unexpected Spoilt in match, at test_never_2_instrumented.py:" in str(error)
    assert "values" not in str(error)
    assert (error.__cause__, error.__context__) == (None, None)
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename != __file__:
            assert not any(prints.in_array(a) for a in sequences(dict(frame.f_locals), depth=4)), (
                frame.f_code.co_name
            )
    assert not prints.in_bytes(pickle.dumps(error))
    other = SubjectSearch(subject_case("K-OTHER-1"), template, loaded, SearchSettings())
    with pytest.raises(NotAuthorised):
        follow_segment(SEGMENT, other)


_numbers = itertools.count(1)


@pytest.fixture
def site(settings: Settings) -> Iterator[Environment]:
    """The demo's site on the real object store, with one worker process."""
    kept = {name: os.environ.get(name) for name in ("ENCOUNTER_HOME", "ENCOUNTER_DASK__WORKERS")}
    os.environ |= {"ENCOUNTER_HOME": str(settings.home), "ENCOUNTER_DASK__WORKERS": "1"}
    environment.cache_clear()
    env = environment()
    env.store.put(object_key.SITE, object_key.CAMERAS, (DEMO / "cameras.geojson").read_bytes())
    env.store.put(object_key.FOOTAGE, SHORT, short_segment(), "video/mp4")
    yield env
    env.store.remove_all_versions(object_key.FOOTAGE, SHORT)
    environment.cache_clear()
    for name, value in kept.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def short_segment() -> bytes:
    """Three seconds in which the subject comes in and others are about."""
    taken = [
        f.image
        for f in frames((DEMO / "footage" / KEY).read_bytes(), START)
        if 9 <= (f.t_utc - START).seconds < 12
    ]
    return write_clip(taken, 5)


@pytest.mark.stack
def test_nothing_of_a_feature_travels_or_is_stored(
    site: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan and a following in a Dask worker: no message of any process, no object and no log
    holds a feature.
    """
    # A cluster of the test's own, also where a stack runs: the stack's workers neither know the
    # instrument nor may keep it.
    alone = site.settings.model_copy(
        update={"dask": site.settings.dask.model_copy(update={"scheduler": None})}
    )
    monkeypatch.setattr(fan_out, "environment", lambda: dataclasses.replace(site, settings=alone))
    visits = read_itinerary((DEMO / "itinerary.csv").read_text())
    case_id = f"K-WATCHED-{next(_numbers):03d}"
    store_case(
        site,
        papers(site, case_id, visits, read_references([DEMO / "reference"]), "demo-short", "test"),
    )
    run = begin(case_id, "watched")
    assert run is not None
    template = make_template(run).digest
    case = open_case(case_id)
    (item,) = site.store.list(object_key.FOOTAGE, SHORT)
    jobs = [
        SegmentJob(
            kind=kind,
            run=run,
            camera_id="entrance",
            key=SHORT,
            etag=item.etag,
            start_utc=SHORT_START,
            template=template,
        )
        for kind in ("scan", "follow")
    ]
    import distributed.comm.tcp as tcp

    real = tcp.to_frames
    try:
        record_messages(tmp_path)
        with fan_out.fan_out():
            fan_out._current_client[-1].register_plugin(WatchWorker(str(tmp_path)))
            done = list(fan_out.each(run_unit, jobs, lambda *_: None, lambda: None))
    finally:
        tcp.to_frames = real
    assert all(min(result.counts().values()) > 0 for _, result in done)
    prints = Prints()
    for array in saved_arrays(tmp_path, "made"):
        prints.add(array)
    assert prints.count > 10
    sent = sorted(tmp_path.glob("sent-*.bin"))
    assert len(sent) >= 2, "messages of the worker and of this process"
    assert sum(p.stat().st_size for p in sent) > 10_000
    for path in sent:
        assert not prints.in_bytes(path.read_bytes()), path.name
    for array in saved_arrays(tmp_path, "arrays"):
        assert not of_feature_size(array)
        assert not prints.in_array(array)
    for stored in case.vault.list():
        if stored.key != object_key.wrapped_key(case_id):
            assert not prints.in_bytes(case.vault.get(stored.key)), stored.key
    for sealed in site.store.list(object_key.CASES, f"{case_id}/"):
        assert not prints.in_bytes(site.store.get(object_key.CASES, sealed.key)), sealed.key
    for path in site.settings.home.rglob("*"):
        if path.is_file() and path.suffix in (".log", ".txt", ".json", ""):
            assert not prints.in_text(path.read_bytes()), path.name
            assert path.suffix != ".log" or not long_run_of_numbers(path.read_bytes())
