"""What a published run found, read for the result's page; and what other policies would say of it,
from its stored encounters: no video is read and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from data_contracts.case import CaseRequest
from data_contracts.policies import load_policy, policy_names
from data_contracts.run import Published, RunManifest
from data_contracts.time import Interval
from flows.cases.evidence import Clip, clips_of_run
from flows.runtime.audit import audit
from flows.runtime.decisions import read_answered
from flows.runtime.environment import Environment
from flows.runtime.open_case import OpenCase, open_case
from flows.runtime.results import load
from flows.stages.publish import load_manifest
from flows.stages.published import choose_run
from infra.case_store import CaseVault
from tasks.exposure.assess import assess
from tasks.search.anchor import NO_END, infectious_window


@dataclass(frozen=True)
class Result:
    """A published run as it is read. `case` has the policy that the run applied. `clips` by what
    they are of (S-01, C-01); `files`: names of all artefacts. `decided_since`: questions that two
    reviewers decided after it was published.
    """

    case: OpenCase
    published: Published
    trajectory: pd.DataFrame
    sightings: pd.DataFrame
    encounters: pd.DataFrame
    points: pd.DataFrame
    contacts: pd.DataFrame
    gaps: pd.DataFrame
    windows: pd.DataFrame
    clips: dict[str, Clip]
    files: tuple[str, ...]
    decided_since: int

    @property
    def request(self) -> CaseRequest:
        """What was filed."""
        return self.case.request

    @property
    def infectious(self) -> tuple[datetime, datetime | None]:
        """When the subject could infect, by the run's policy; no end where it names none."""
        window: Interval = infectious_window(self.request, self.case.policy)
        return window.start_utc, None if window.end_utc >= NO_END else window.end_utc


def read_result(env: Environment, case_id: str, run_id: str | None = None) -> Result:
    """A run's result, the last published one's where none is named.

    Raises NotAuthorised, NotFound where there is no such run, StoreError when the audit log cannot
    be written.
    """
    vault = open_case(case_id, env).vault
    published = choose_run(vault, run_id)
    case = open_case(case_id, env, policy=published.run.policy)
    run = published.run
    audit(env, "view", case=case.authorised, run_id=run.run_id, objects=("result",))
    manifest = load_manifest(vault, run)
    return Result(
        case=case,
        published=published,
        clips=clips_of_run(case, manifest),
        files=tuple(a.name for a in manifest.artefacts),
        decided_since=_decided_since(vault, published),
        **_tables(vault, manifest),
    )


def _tables(vault: CaseVault, manifest: RunManifest) -> dict[str, pd.DataFrame]:
    result = manifest.result
    where = {
        "trajectory": result.trace["trajectory"],
        "sightings": result.people["sightings"],
        "encounters": result.meetings["encounters"],
        "points": result.meetings["points"],
        "contacts": result.contacts["contacts"],
        "gaps": result.gaps["gaps"],
        "windows": result.windows["windows"],
    }
    return {name: load(vault, ref) for name, ref in where.items()}


def under_policies(result: Result, names: Sequence[str] | None = None) -> dict[str, pd.DataFrame]:
    """CONTACTS of a result's encounters under policies by name, all where none are named. Their
    numbers mean nothing: compare people. Raises BadInput for a name that no policy has.
    """
    return {
        name: assess(result.points, result.encounters, load_policy(name), np.random.default_rng())
        for name in (policy_names() if names is None else names)
    }


def _decided_since(vault: CaseVault, published: Published) -> int:
    found = [a for a in read_answered(vault) if a.decision is not None]
    newest = [max(answer.answered_utc for answer in one.answers) for one in found]
    return sum(at > published.published_utc for at in newest)
