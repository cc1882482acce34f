"""Artefacts of a run: written whole, then made visible at once by the run's manifest."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from data_contracts import object_key
from data_contracts.errors import BadInput
from data_contracts.run import Artefact, Outcome, Run, RunManifest
from data_contracts.tables.contracts import (
    SEGMENTS,
    WINDOWS,
)
from data_contracts.tables.parquet import table_from_bytes
from data_contracts.tables.table import TableContract
from data_contracts.time import now_utc
from flows.runtime.audit import audit
from flows.runtime.environment import environment, models
from flows.runtime.open_case import OpenCase, open_case
from flows.runtime.results import load
from flows.runtime.stats import read_stats
from flows.stages.claim import close_claim
from flows.stages.published import choose_run, put_published
from infra.case_store import CaseVault
from infra.local.traces import remember_fetched
from infra.store import LARGEST_BYTES
from tasks.artefacts.exports import PICTURES, make_exports
from tasks.artefacts.provenance import provenance
from tasks.artefacts.run_tables import RunTables

# An export names this many artefacts in the audit log, and counts all.
EXPORT_NAMED = 1_000
_AT_ONCE = 16


def manifest_key(run: Run) -> str:
    """Where a run's manifest lies."""
    return object_key.run(run.case_id, run.run_id, "manifest.json")


def load_manifest(vault: CaseVault, run: Run) -> RunManifest:
    """The manifest of a finished run. Raises NotFound where the run did not finish, BadInput where
    it is damaged.
    """
    key = manifest_key(run)
    return RunManifest.stored(vault.get(key), key)


def publish(run: Run, result: Outcome) -> None:
    """Write the artefacts, then the manifest; close the claim. No artefact is visible before the
    audit log has the run.
    """
    case = open_case(run.case_id, policy=run.policy)
    artefacts = make_exports(run_tables(case, result))
    written = [
        _write_artefact(case.vault, run, name, data) for name, data in sorted(artefacts.items())
    ]
    written += _picture_artefacts(case.vault, result)
    manifest = RunManifest(
        run_id=run.run_id,
        policy=f"{case.policy.name}@{case.policy.version}",
        created_utc=now_utc(),
        artefacts=tuple(written),
        result=result,
    )
    audit(
        environment(),
        "run-finished",
        case=case.authorised,
        run_id=run.run_id,
        policy=manifest.policy,
        models=dict(models(environment()).digests),
        matched=tuple(load(case.vault, result.people["sightings"])["sighting_id"]),
        counts=result.counts(),
    )
    case.vault.put(manifest_key(run), manifest.model_dump_json(indent=1).encode())
    put_published(case.vault, run, manifest.policy)
    close_claim(case.vault, run)


def run_tables(case: OpenCase, result: Outcome) -> RunTables:
    """What the run's exports are made from, loaded."""
    vault = case.vault
    run = result.run
    used = models(environment())
    segments = load(vault, result.scanned["segments"])
    record = provenance(
        run=run.model_dump(exclude={"salt"}),
        segments=segments,
        digests=_digests(segments),
        policy=case.policy,
        settings=environment().settings.public(),
        model_digests=used.digests,
        runtimes=used.runtimes,
        counts=result.counts(),
        stats=read_stats(vault, run),
    )
    return RunTables(
        request=case.request,
        site=case.site,
        policy=case.policy,
        run_id=run.run_id,
        created_utc=now_utc(),
        trajectory=load(vault, result.trace["trajectory"]),
        sightings=load(vault, result.people["sightings"]),
        encounters=load(vault, result.meetings["encounters"]),
        contacts=load(vault, result.contacts["contacts"]),
        gaps=load(vault, result.gaps["gaps"]),
        windows=load(vault, result.windows["windows"]),
        pictures={
            name: vault.get(object_key.picture(run.case_id, run.run_id, name), LARGEST_BYTES)
            for name in load(vault, result.pictures["pictures"])["name"]
            if name.endswith(".jpg")
        },
        provenance=record,
    )


def _digests(segments: pd.DataFrame) -> dict[str, str]:
    """By key, the SHA-256 that each recording had when it was loaded."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(environment().footage.digest_of, segments["key"], segments["etag"])
        return dict(zip(segments["key"], found, strict=True))


def _write_artefact(vault: CaseVault, run: Run, name: str, data: bytes) -> Artefact:
    vault.put(object_key.run(run.case_id, run.run_id, name), data)
    return Artefact(name=name, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def _picture_artefacts(vault: CaseVault, result: Outcome) -> list[Artefact]:
    """The pictures as artefacts: they were stored when they were made."""
    return [
        Artefact(
            name=f"{PICTURES}{row['name']}",
            size_bytes=int(row["size_bytes"]),
            sha256=str(row["sha256"]),
        )
        for row in load(vault, result.pictures["pictures"]).to_dict("records")
    ]


def read_table(vault: CaseVault, run: Run, contract: TableContract) -> pd.DataFrame:
    """A published table of a finished run."""
    load_manifest(vault, run)
    name = f"{contract.name}.parquet"
    return table_from_bytes(
        vault.get(object_key.run(run.case_id, run.run_id, name), LARGEST_BYTES), contract, name
    )


def fetch(vault: CaseVault, run: Run, folder: Path) -> Path:
    """Decrypt a finished run's artefacts into a folder (mode 0700), after the audit log has the
    export.

    Raises BadInput when a digest does not match.
    """
    manifest = load_manifest(vault, run)
    names = tuple(artefact.name for artefact in manifest.artefacts)
    audit(
        environment(),
        "export",
        case_id=run.case_id,
        run_id=run.run_id,
        policy=manifest.policy,
        objects=names[:EXPORT_NAMED],
        counts={"artefacts": len(names)},
    )
    remember_fetched(environment().settings.paths, run.case_id, [folder / name for name in names])
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for artefact in manifest.artefacts:
        data = read_artefact(vault, run, artefact)
        path = folder / artefact.name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(data)
    return folder


def read_artefact(vault: CaseVault, run: Run, artefact: Artefact) -> bytes:
    """One artefact of a finished run, decrypted. Raises BadInput when its digest does not match."""
    data = vault.get(object_key.run(run.case_id, run.run_id, artefact.name), LARGEST_BYTES)
    if hashlib.sha256(data).hexdigest() != artefact.sha256:
        raise BadInput(f"{artefact.name}: changed since it was published; run the case again")
    return data


def load_published(case_id: str) -> Outcome:
    """References of the case's last published run. Raises NotFound where there is none."""
    case = open_case(case_id)
    return load_manifest(case.vault, choose_run(case.vault).run).result


def segments_of(vault: CaseVault, result: Outcome) -> pd.DataFrame:
    """The footage a run was made from."""
    return SEGMENTS.shape(load(vault, result.scanned["segments"]))


def windows_of(vault: CaseVault, result: Outcome) -> pd.DataFrame:
    """The windows a run searched."""
    return WINDOWS.shape(load(vault, result.windows["windows"]))
