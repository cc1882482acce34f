"""`/health` and `/metrics` of a running desk: what they tell, to whom, and what they never tell."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime

import httpx
import pytest
from desk_scene import RunningDesk, filed_case, published_run
from prometheus_client.parser import text_string_to_metric_families
from stored_run import store_table

from data_contracts.gap import GAP_KINDS
from data_contracts.tables.contracts import GAPS
from flows.runtime.environment import Environment
from flows.stages import publish
from infra import passes
from infra.local import disk_room

pytestmark = pytest.mark.stack
_LABELS = {
    "state": {"filed", "running", "published", "unreadable"},
    "kind": set(GAP_KINDS),
    "pass": set(passes.PASSES),
    "disk": {"home", "store"},
    "part": {"store", "prefect", "dask", "worker", "desk"},
}


def _get(desk: RunningDesk, path: str, token: str = "") -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx.get(f"{desk.base}{path}", headers=headers, timeout=60)


def _token(env: Environment) -> str:
    return env.settings.paths.metrics_token_file.read_text().strip()


def _told(desk: RunningDesk, env: Environment) -> dict[tuple[str, str], float]:
    """Values by name and label."""
    answer = _get(desk, "/metrics", _token(env))
    assert answer.status_code == 200
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_cases_are_counted(desk: RunningDesk, env: Environment) -> None:
    """A filed case and a published one each add one to their state; the filed one makes for
    minutes behind.
    """
    before = _told(desk, env)
    vault = filed_case(env)
    filed = _told(desk, env)
    assert filed["encounter_cases", "filed"] == before["encounter_cases", "filed"] + 1
    assert filed["encounter_minutes_behind", ""] >= 0
    published_run(vault)
    after = _told(desk, env)
    assert after["encounter_store_up", ""] == 1
    assert sum(n for (name, _), n in after.items() if name == "encounter_cases") == sum(
        n for (name, _), n in filed.items() if name == "encounter_cases"
    )


def test_gaps_are_counted_by_kind(desk: RunningDesk, env: Environment) -> None:
    """Those of the last published run of each case."""
    before = _told(desk, env)
    vault = filed_case(env)
    run = published_run(vault)
    now = datetime.now(UTC)
    kinds = ("no_footage", "no_footage", "not_authorised")
    rows = [
        {"kind": kind, "camera_id": "lobby", "start_utc": now, "end_utc": now}
        | {"detail": "", "advice": ""}
        for kind in kinds
    ]
    manifest = publish.load_manifest(vault, run)
    gaps = manifest.result.gaps.model_copy(
        update={"tables": {"gaps": store_table(vault, GAPS, rows)}}
    )
    result = manifest.result.model_copy(update={"gaps": gaps})
    told = manifest.model_copy(update={"result": result})
    vault.put(publish.manifest_key(run), told.model_dump_json().encode())
    after = _told(desk, env)
    more = {kind: after["encounter_gaps", kind] - before["encounter_gaps", kind] for kind in kinds}
    assert more == {"no_footage": 2, "not_authorised": 1}


def test_no_label_names_anything_of_a_case(desk: RunningDesk, env: Environment) -> None:
    """All labels are words of this program; the text holds neither a case's id nor the subject's
    pseudonym.
    """
    vault = filed_case(env)
    published_run(vault)
    text = _get(desk, "/metrics", _token(env)).text
    assert vault.case_id not in text
    assert "K-" not in text
    found = re.findall(r'(\w+)="([^"]*)"', text)
    assert found
    assert all(value in _LABELS[label] for label, value in found)


def test_metrics_want_the_token(desk: RunningDesk, env: Environment) -> None:
    """Without it, with another, and with a login of the desk there are none."""
    assert _get(desk, "/metrics").status_code == 401
    assert _get(desk, "/metrics", "x" * 43).status_code == 401
    answer = desk.browser("administrator").get("/metrics")
    assert answer.status_code == 401
    assert "encounter_" not in answer.text
    assert env.settings.paths.metrics_token_file.stat().st_mode & 0o777 == 0o600


def test_health_says_ok_and_nothing_else(desk: RunningDesk) -> None:
    """To anybody."""
    answer = _get(desk, "/health")
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_a_late_pass_is_not_ok(desk: RunningDesk, env: Environment) -> None:
    """A purge whose last success is older than 15 minutes; its age is a metric."""
    home = env.settings.paths
    passes.note_success(home, "purge-expired")
    try:
        assert _get(desk, "/health").status_code == 200
        assert _told(desk, env)["encounter_pass_age_seconds", "purge-expired"] < 600
        long_ago = time.time() - 1000
        os.utime(home.succeeded("purge-expired"), (long_ago, long_ago))
        answer = _get(desk, "/health")
        assert (answer.status_code, answer.text) == (503, "not ok\n")
        assert _told(desk, env)["encounter_pass_age_seconds", "purge-expired"] >= 1000
    finally:
        home.succeeded("purge-expired").unlink()


def test_a_full_disk_is_not_ok(desk: RunningDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `encounter status` tells it."""
    monkeypatch.setattr(disk_room, "FULL_BELOW_BYTES", 10**18)
    assert _get(desk, "/health").status_code == 503


def test_a_store_that_is_down_is_not_ok(desk: RunningDesk, env: Environment) -> None:
    """Metrics still answer, and say that the store does not."""
    settings = env.store.settings
    env.store.settings = settings.model_copy(update={"endpoint": "127.0.0.1:9"})
    try:
        told = _told(desk, env)
        assert told["encounter_store_up", ""] == 0
        assert ("encounter_cases", "filed") not in told
        assert _get(desk, "/health").status_code == 503
    finally:
        env.store.settings = settings
