"""Exports: the one list of what a run writes for people and other systems.

Publishing, the reviewers' page, the report's list of files, the deletion of old pictures and
docs/artefacts.md read it, so a new export is a function and a row here (CONTRIBUTING.md).
Pictures and clips are not rows: redaction writes as many as there are sightings and contacts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from data_contracts.errors import NotFound
from data_contracts.tables.contracts import (
    CONTACTS,
    ENCOUNTERS,
    GAPS,
    SIGHTINGS,
    TRAJECTORY,
)
from data_contracts.tables.parquet import table_to_bytes
from data_contracts.tables.table import TableContract
from tasks.artefacts import formats
from tasks.artefacts.report import render_report
from tasks.artefacts.run_tables import RunTables

# The page that a reviewer opens; links lead to it.
REPORT = "report.html"
# The folder of pictures and clips, their media types and what people are told about them.
PICTURES = "pictures/"
PICTURE_TYPES = {".jpg": "image/jpeg", ".mp4": "video/mp4"}
PICTURES_CAPTION = "Stills and clips of sightings and contacts; everybody but the subject is hidden"

_CSV = "text/csv; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_JSON = "application/json"
_GEOJSON = "application/geo+json"
_PARQUET = "application/vnd.apache.parquet"

_CONTACTS_CAPTION = "The contacts under the policy, one row each, for other systems"
_TRAJECTORY_CAPTION = "Where the subject was, for maps and analysis"
_GAPS_CAPTION = "What was not looked at, why, and what can be done"


@dataclass(frozen=True)
class Export:
    """One artefact that every run writes.

    `contract`: of the table that it is made from, None where it is made from several. `caption`:
    one sentence for people, without a full stop. `make`: its bytes. `pictures`: it has pictures
    inside and goes when pictures have to go.
    """

    name: str
    media_type: str
    contract: TableContract | None
    caption: str
    make: Callable[[RunTables], bytes]
    pictures: bool = False


EXPORTS: tuple[Export, ...] = (
    Export(
        REPORT,
        _HTML,
        None,
        "The page for people who decide: contacts, plan, timeline, sightings and gaps",
        lambda run: render_report(run, beside_the_report()).encode(),
        pictures=True,
    ),
    Export(
        "contacts.csv",
        _CSV,
        CONTACTS,
        _CONTACTS_CAPTION,
        lambda run: formats.contacts_csv(run.contacts),
    ),
    Export(
        "contacts.json",
        _JSON,
        CONTACTS,
        _CONTACTS_CAPTION,
        lambda run: formats.contacts_json(run.contacts),
    ),
    Export(
        "contacts.parquet",
        _PARQUET,
        CONTACTS,
        _CONTACTS_CAPTION,
        lambda run: table_to_bytes(run.contacts, CONTACTS),
    ),
    Export(
        "godata.csv",
        _CSV,
        CONTACTS,
        "The contacts in the column names of WHO Go.Data, rejected ones left out",
        lambda run: formats.godata_csv(run.contacts, run.request.case_id, run.site),
    ),
    Export(
        "encounters.parquet",
        _PARQUET,
        ENCOUNTERS,
        "Everybody who came near the subject, before the policy",
        lambda run: table_to_bytes(run.encounters, ENCOUNTERS),
    ),
    Export(
        "sightings.parquet",
        _PARQUET,
        SIGHTINGS,
        "Where the subject was seen, with probability and review state",
        lambda run: table_to_bytes(run.sightings, SIGHTINGS),
    ),
    Export(
        "trajectory.geojson",
        _GEOJSON,
        TRAJECTORY,
        _TRAJECTORY_CAPTION,
        lambda run: formats.trajectory_geojson(run.trajectory, run.site),
    ),
    Export(
        "trajectory.parquet",
        _PARQUET,
        TRAJECTORY,
        _TRAJECTORY_CAPTION,
        lambda run: table_to_bytes(run.trajectory, TRAJECTORY),
    ),
    Export("gaps.csv", _CSV, GAPS, _GAPS_CAPTION, lambda run: formats.gaps_csv(run.gaps)),
    Export("gaps.json", _JSON, GAPS, _GAPS_CAPTION, lambda run: formats.gaps_json(run.gaps)),
    Export(
        "gaps.parquet", _PARQUET, GAPS, _GAPS_CAPTION, lambda run: table_to_bytes(run.gaps, GAPS)
    ),
    Export(
        "provenance.json",
        _JSON,
        None,
        "What the result was made from: inputs, model digests, policy, settings, versions",
        lambda run: run.provenance,
    ),
)


def make_exports(run: RunTables) -> dict[str, bytes]:
    """Every export's bytes by name."""
    return {export.name: export.make(run) for export in EXPORTS}


def beside_the_report() -> list[tuple[str, str]]:
    """Names and captions of what lies beside the report; those with one caption share a line."""
    names: dict[str, list[str]] = {}
    for export in EXPORTS:
        if export.name != REPORT:
            names.setdefault(export.caption, []).append(export.name)
    lines = [(", ".join(same), caption) for caption, same in names.items()]
    return [*lines, (PICTURES, PICTURES_CAPTION)]


def media_type(name: str) -> str:
    """The media type of an artefact, by its name below the run's folder.

    Raises NotFound for a name that neither an export nor a picture has.
    """
    for export in EXPORTS:
        if export.name == name:
            return export.media_type
    suffix = PurePosixPath(name).suffix
    if name.startswith(PICTURES) and suffix in PICTURE_TYPES:
        return PICTURE_TYPES[suffix]
    raise NotFound(f"{name} is neither an export nor a picture of a run")


def shows_pictures(name: str) -> bool:
    """Whether an artefact is a picture or has some inside."""
    inside = {export.name for export in EXPORTS if export.pictures}
    return name.startswith(PICTURES) or name in inside
