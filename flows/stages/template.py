"""The subject's template: built anew for each run, stored under the case's key."""

from __future__ import annotations

import hashlib

from data_contracts import object_key
from flows.runtime.open_case import OpenCase
from flows.runtime.stage import Work, stage
from flows.runtime.subject_template import secret_of
from tasks.observe.template import build_template, to_bytes


def _picture_digests(case: OpenCase) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in case.references.items()}


@stage(
    "build template",
    makes={},
    uses_models=True,
    scope="case",
    fresh=True,
    decides=lambda case, _given: {"pictures": _picture_digests(case)},
)
def make_template(work: Work) -> tuple[()]:
    """Build the subject's template and store it; the stage's digest names what it was built from.
    Without the face scope there is none.

    Every run builds it anew, under a new secret, in the place of the one before. Similarities do
    not depend on the secret, so what was found with an earlier template stays good.
    """
    case = work.case
    if "face" not in case.authorised.scopes:
        return ()
    made = build_template(case.authorised, case.references, work.models, secret_of(case))
    work.vault.put(object_key.template(work.run.case_id), to_bytes(made))
    return ()
