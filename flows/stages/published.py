"""Which runs of a case are published. Apart from the claim: a run that works, or fails, hides none.

One object a run, so that two runs that end at once do not overwrite each other's word.
"""

from __future__ import annotations

from data_contracts import object_key
from data_contracts.errors import NotFound
from data_contracts.run import Published, Run
from data_contracts.time import now_utc
from infra.case_store import CaseVault


def put_published(vault: CaseVault, run: Run, policy: str) -> None:
    """Make a run visible; its artefacts and its manifest are written already."""
    told = Published(run=run, policy=policy, published_utc=now_utc())
    vault.put(object_key.published(vault.case_id, run.run_id), told.model_dump_json().encode())


def published_runs(vault: CaseVault) -> list[Published]:
    """All published runs of a case, the last published at the end."""
    found = [Published.stored(vault.get(key), key) for key in _published_keys(vault)]
    return sorted(found, key=lambda one: (one.published_utc, one.run.run_id))


def last_run(vault: CaseVault) -> Run | None:
    """The run that was published last, or None."""
    runs = published_runs(vault)
    return runs[-1].run if runs else None


def choose_run(vault: CaseVault, run_id: str | None = None, policy: str | None = None) -> Published:
    """The last published run; of a policy by name, or by its own id. Raises NotFound with what is
    published.
    """
    runs = published_runs(vault)
    chosen = [
        found
        for found in runs
        if run_id in (None, found.run.run_id) and policy in (None, found.run.policy)
    ]
    if chosen:
        return chosen[-1]
    if not runs:
        raise NotFound(
            f"case {vault.case_id} has no finished run yet: encounter case show {vault.case_id}"
        )
    there = ", ".join(f"{found.run.run_id} ({found.run.policy})" for found in runs[-10:])
    asked = " and ".join(
        f"{what} {value}" for what, value in (("run", run_id), ("policy", policy)) if value
    )
    raise NotFound(
        f"case {vault.case_id} has no published run with {asked}; published, the last at the end: "
        f"{there}"
    )


def _published_keys(vault: CaseVault) -> list[str]:
    return [item.key for item in vault.list(f"{object_key.published(vault.case_id)}/")]
