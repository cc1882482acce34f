"""Cases to destroy on the object store alone, for the tests of never 4."""

from __future__ import annotations

import itertools
import secrets
from datetime import datetime, timedelta
from pathlib import Path

from stored_run import empty_outcome

from data_contracts import object_key
from data_contracts.case import CaseRequest, Visit
from data_contracts.run import Run, RunManifest
from data_contracts.time import now_utc
from flows.runtime.environment import Environment
from flows.stages.publish import _write_artefact, manifest_key
from flows.stages.published import put_published
from infra.audit_log import open_audit_log
from infra.case_store import CaseStore, CaseVault
from infra.key_source import ensure_master_keys
from infra.settings import Settings, load_settings
from infra.signing import ensure_signing_key
from infra.store import ObjectStore
from tasks.consent.binding import bind_request
from tasks.consent.grant_token import GrantDraft, generate_key, sign_grant

PLACE = "the bakery in the third lane"
_numbers = itertools.count(1)


def environment_of(settings: Settings, store: ObjectStore, case_store: CaseStore) -> Environment:
    """The environment of a home that has a store and no orchestrator."""
    ensure_signing_key(settings)
    return Environment(settings, store, case_store, open_audit_log(store, settings))


def environment_apart(settings: Settings, home: Path) -> Environment:
    """The same in a home and buckets of its own on the shared store: other tests' receipts are not
    read again.
    """
    s3 = settings.s3.model_copy(update={"bucket_prefix": f"p{secrets.token_hex(4)}-"})
    own = load_settings(home=home, s3=s3.model_dump())
    own.paths.make()
    own.paths.logs.mkdir(exist_ok=True)
    store = ObjectStore(own.s3)
    store.ensure_buckets()
    return environment_of(own, store, CaseStore(store, ensure_master_keys(own)))


def filled_case(env: Environment, objects: int = 3) -> CaseVault:
    """A filed case with papers, a reference picture, results, a second version of one and an
    unfinished upload.
    """
    case_id = f"K-CLOSE-{next(_numbers):03d}"
    vault = env.cases.create_key(case_id)
    now = now_utc()
    request = CaseRequest(
        case_id=case_id,
        subject="subject-pseudonym-77",
        onset_utc=now,
        itinerary=(
            Visit(place=PLACE, from_utc=now - timedelta(hours=2), to_utc=now - timedelta(hours=1)),
        ),
        policy="who",
        reference_images=("a.jpg",),
        filed_utc=now,
    )
    vault.put(object_key.reference(case_id, "a.jpg"), b"\xff\xd8\xff" + bytes(range(256)))
    for role in ("consent", "approval"):
        private, _ = generate_key(f"signer of {role}", (role,))
        draft = GrantDraft(
            role=role,
            case_id=case_id,
            subject=request.subject,
            scopes=("face",),
            cameras=("*",),
            from_utc=now - timedelta(days=1),
            to_utc=now,
            legal_basis="test",
            expires_utc=now + timedelta(days=1),
            binding=bind_request(request, {"a.jpg": b"picture"}),
        )
        token = sign_grant(private, draft, now)
        vault.put(getattr(object_key, role)(case_id), token.encode())
    for number in range(objects):
        vault.put(object_key.stage(case_id, "scan", f"{number:040x}"), b"result %d" % number)
    vault.put(object_key.request(case_id), request.model_dump_json().encode())
    put_published(vault, Run(case_id=case_id, run_id="r-1", salt="00", policy="who"), "who@1")
    begin_upload(env.store, object_key.case(case_id, "unfinished.mp4"))
    return vault


def finished_run(
    vault: CaseVault, created: datetime, names: tuple[str, ...]
) -> tuple[Run, RunManifest]:
    """A run with these artefacts, published at that time."""
    run = Run(case_id=vault.case_id, run_id="20261116T090000Z-ab12cd", salt="00", policy="who")
    result = empty_outcome(run)
    artefacts = tuple(_write_artefact(vault, run, name, b"data") for name in names)
    manifest = RunManifest(
        run_id=run.run_id, policy="who@1", created_utc=created, artefacts=artefacts, result=result
    )
    vault.put(manifest_key(run), manifest.model_dump_json().encode())
    return run, manifest


def begin_upload(store: ObjectStore, key: str) -> None:
    """A multipart upload with one part that is never completed."""
    client = store._client
    bucket = store.bucket(object_key.CASES)
    upload = client._create_multipart_upload(bucket, key, {})
    client._upload_part(bucket, key, b"x" * 1000, {}, upload, 1)


def nothing_of(store: ObjectStore, case_id: str) -> bool:
    """Whether the store lists neither a version nor an upload nor a folder of the case."""
    listed = store.list_versions(object_key.CASES, f"{case_id}/") or store.uploads(
        object_key.CASES, f"{case_id}/"
    )
    return not listed and case_id not in store.folders(object_key.CASES)


def bytes_in(folder: Path, *needles: bytes) -> list[str]:
    """Files below a folder that hold one of the needles."""
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        data = path.read_bytes()
        found += [
            f"{path.relative_to(folder)}: {needle[:16]!r}" for needle in needles if needle in data
        ]
    return found


__all__ = [
    "PLACE",
    "begin_upload",
    "bytes_in",
    "environment_apart",
    "environment_of",
    "filled_case",
    "finished_run",
    "nothing_of",
]
