"""The table of exports: one list, from which publishing, the reviewers' page, the report and the
docs take what they name.
"""

import io
import json

import pandas as pd
import pytest
from demo_report import report_data

from data_contracts.errors import NotFound
from data_contracts.tables.contracts import ALL
from data_contracts.tables.parquet import table_from_bytes
from tasks.artefacts.exports import (
    EXPORTS,
    PICTURES,
    REPORT,
    Export,
    beside_the_report,
    make_exports,
    media_type,
    shows_pictures,
)
from tasks.artefacts.run_tables import RunTables


@pytest.fixture(scope="module")
def run() -> RunTables:
    """The demo case as a perfect run would have it."""
    return report_data({"C-01.jpg": b"\xff\xd8jpeg"})


@pytest.fixture(scope="module")
def made(run: RunTables) -> dict[str, bytes]:
    """Every export of it."""
    return make_exports(run)


def of_type(kind: str) -> list[Export]:
    """Exports of a media type."""
    return [e for e in EXPORTS if e.media_type.split(";")[0] == kind]


def test_names_are_unique_and_captions_are_one_sentence() -> None:
    """No artefact can hide another, and none comes without a word on what it is."""
    names = [e.name for e in EXPORTS]
    assert len(set(names)) == len(names)
    assert not [n for n in names if "/" in n or n == "manifest.json"]
    for export in EXPORTS:
        assert export.caption[0].isupper()
        assert not export.caption.endswith(".")
        assert "|" not in export.caption
        assert export.contract is None or export.contract in ALL


def test_every_export_is_what_its_media_type_says(made: dict[str, bytes], run: RunTables) -> None:
    """CSV and JSON are read by plain readers, Parquet under its contract, the page is one."""
    assert list(made) == [e.name for e in EXPORTS]
    for export in of_type("text/csv"):
        assert len(pd.read_csv(io.BytesIO(made[export.name]))), export.name
    for export in [*of_type("application/json"), *of_type("application/geo+json")]:
        assert json.loads(made[export.name]), export.name
    for export in of_type("application/vnd.apache.parquet"):
        table = table_from_bytes(made[export.name], export.contract, export.name)
        assert len(table) == len(getattr(run, export.contract.name)), export.name
    assert made[REPORT].startswith(b"<!doctype html>")


def test_the_report_names_everything_beside_it(made: dict[str, bytes]) -> None:
    """Whoever holds the page knows what else there is."""
    page = made[REPORT].decode()
    for export in EXPORTS:
        assert export.name == REPORT or export.name in page
    assert PICTURES in page
    listed = ", ".join(names for names, _ in beside_the_report())
    assert listed.split(", ") == [
        *dict.fromkeys(e.name for e in EXPORTS if e.name != REPORT),
        PICTURES,
    ]


def test_only_what_a_run_writes_has_a_media_type() -> None:
    """The reviewers' page serves exports and pictures, nothing else that may lie in the folder."""
    for export in EXPORTS:
        assert media_type(export.name) == export.media_type
    assert media_type("pictures/S-01.jpg") == "image/jpeg"
    assert media_type("pictures/C-01.mp4") == "video/mp4"
    for name in ("manifest.json", "S-01.jpg", "pictures/S-01.svg", "contacts.csv/x", ""):
        with pytest.raises(NotFound):
            media_type(name)


def test_what_has_pictures_inside_is_known(made: dict[str, bytes]) -> None:
    """An export that holds a picture's bytes goes when pictures have to go: none is forgotten."""
    assert {name for name, data in made.items() if b"data:image/jpeg" in data} == {
        e.name for e in EXPORTS if shows_pictures(e.name)
    }
    assert shows_pictures("pictures/S-01.jpg")
    assert not shows_pictures("contacts.csv")
