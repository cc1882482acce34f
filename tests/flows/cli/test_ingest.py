"""`encounter ingest`: what was understood is told, what is loaded is loaded once and traceable."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from containers import contained
from typer.testing import CliRunner, Result

from data_contracts import object_key
from data_contracts.errors import BadInput, FootageChanged, FootageGone
from flows.cli.main import app
from flows.runtime.environment import Environment, environment
from flows.runtime.segment_job import lengths, listed, read_footage
from infra.settings import HOME_VARIABLE, Settings
from infra.store import ObjectInfo

pytestmark = pytest.mark.stack
TIMES = tuple(i / 5 for i in range(20))
CAMERA = "ingest-cam"


@pytest.fixture
def env(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    """The environment of the shared store."""
    monkeypatch.setenv(HOME_VARIABLE, str(settings.home))
    environment.cache_clear()
    opened = environment()
    yield opened
    opened.store.remove_all_versions(object_key.FOOTAGE, f"{CAMERA}/")
    environment.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files of four seconds, of one camera: two end to end, one after a hole."""
    for number, kind in (("00.00", "mp4"), ("00.04", "mpegts"), ("00.30", "imkh")):
        path = tmp_path / "footage" / CAMERA / "2026-11-16" / "08" / f"{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contained(kind, times=TIMES))
    return tmp_path / "footage"


def ingest(*words: object) -> Result:
    """The command's result; errors are raised as they are."""
    result = CliRunner().invoke(app, ["ingest", *map(str, words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def keys(env: Environment) -> list[str]:
    """What lies in the bucket of the test's camera, without its hour."""
    listed = env.store.list(object_key.FOOTAGE, f"{CAMERA}/")
    return [item.key.rpartition("/")[2] for item in listed]


def test_a_dry_run_tells_and_loads_nothing(env: Environment, folder: Path) -> None:
    """Camera, span, the hole and the count; the bucket stays empty."""
    told = ingest(folder, "--dry-run").output
    assert CAMERA in told
    assert "nothing for 22 s from 2026-11-16 08:00:08 UTC" in told
    assert "3 segments would be loaded, 0 left out" in told
    assert keys(env) == []


def test_loaded_once_and_a_repaired_file_replaces(env: Environment, folder: Path) -> None:
    """Keys by content; a second time nothing is sent; a repaired file of the same size replaces the
    damaged one; the SHA-256 is that of the bytes that lie there.
    """
    damaged = next(folder.rglob("00.00.mp4"))
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-50] + bytes(50))
    assert "3 segments loaded, 0 were there" in ingest(folder).output
    assert keys(env) == ["00.00.mp4", "00.04.ts", "00.30.mpg"]
    assert "0 segments loaded, 3 were there" in ingest(folder).output
    damaged.write_bytes(whole)
    assert "1 segments loaded, 2 were there" in ingest(folder).output
    key = f"{CAMERA}/2026-11-16/08/00.00.mp4"
    there = env.store.stat(object_key.FOOTAGE, key)
    digest = env.store.digest_of(object_key.FOOTAGE, key, there.etag)
    assert digest == hashlib.sha256(whole).hexdigest()
    assert env.store.digest_of(object_key.FOOTAGE, key, "another") == ""


def test_an_interrupted_load_goes_on(env: Environment, folder: Path) -> None:
    """What was loaded before the interruption is not sent again."""
    for number in ("00.04", "00.30"):
        path = next(folder.rglob(f"{number}.mp4"))
        path.rename(path.with_suffix(".later"))
    assert "1 segments loaded" in ingest(folder).output
    for path in folder.rglob("*.later"):
        path.rename(path.with_suffix(".mp4"))
    assert "2 segments loaded, 1 were there" in ingest(folder).output


def test_local_names_with_options(env: Environment, tmp_path: Path) -> None:
    """A recorder's names in local time, its camera mapped, the repeated hour said."""
    (tmp_path / "CH 1_20261025023000.mp4").write_bytes(contained("imkh", times=TIMES))
    given = (tmp_path, "--zone", "Europe/Berlin", "--camera", f"CH 1={CAMERA}")
    with pytest.raises(BadInput, match="no recordings"):
        ingest(*given)
    told = ingest(*given, "--repeated-hour", "second").output
    assert "1 files named as by hikvision" in told
    listed = env.store.list(object_key.FOOTAGE, f"{CAMERA}/")
    assert [item.key for item in listed] == [f"{CAMERA}/2026-10-25/01/30.00.mpg"]


def test_footage_that_stays_where_it_is(
    env: Environment, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table is written, nothing is loaded; with the setting the files are found, measured and
    read, and a file that changed since is told.
    """
    table = tmp_path / "footage.csv"
    assert "3 segments; they are read in place" in ingest(folder, "--in-place", table).output
    assert keys(env) == []
    monkeypatch.setenv("ENCOUNTER_FOOTAGE__TABLE", str(table))
    environment.cache_clear()
    here = environment()
    first = next(iter(listed(here)(f"{CAMERA}/2026-11-16/08/")))
    assert lengths(here)(first) == pytest.approx(4.0, abs=0.3)
    path = next(folder.rglob("00.00.mp4"))
    assert read_footage(here, first.key, first.etag) == path.read_bytes()
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(FootageChanged):
        read_footage(here, first.key, first.etag)
    path.unlink()
    with pytest.raises(FootageGone):
        read_footage(here, first.key, first.etag)


def test_a_mapping_without_a_name_is_told(env: Environment, folder: Path) -> None:
    """--camera needs NAME=ID."""
    with pytest.raises(BadInput, match="NAME=ID"):
        ingest(folder, "--camera", "entrance")


def test_a_file_that_grows_meanwhile_is_not_kept(
    env: Environment, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recorder that still writes: its digest would be another's. It is refused and nothing is
    left.
    """
    path = next(folder.rglob("00.00.mp4"))
    send = env.store._put_stream

    def grown(*given: Any, **named: Any) -> ObjectInfo:
        done = send(*given, **named)
        with path.open("ab") as file:
            file.write(b"more")
        return done

    monkeypatch.setattr(env.store, "_put_stream", grown)
    key = f"{CAMERA}/2026-11-16/08/00.00.mp4"
    with pytest.raises(BadInput, match="changed while it was loaded"):
        env.store.put_file(object_key.FOOTAGE, key, path, with_digest=True)
    assert not env.store.exists(object_key.FOOTAGE, key)
