"""Reading the subject's template in the process that compares with it."""

from __future__ import annotations

from functools import partial

from data_contracts import object_key
from flows.runtime.open_case import OpenCase
from tasks.observe.template import Derive, SubjectTemplate, from_bytes


def load_template(case: OpenCase) -> SubjectTemplate:
    """The subject's template, stored under the case's key; its secret is derived here and never
    travels.
    """
    return from_bytes(
        case.vault.get(object_key.template(case.vault.case_id)),
        secret_of(case),
    )


def secret_of(case: OpenCase) -> Derive:
    """What makes a template's secret of its salt, with the case's key."""
    return partial(case.vault.derive, "subject template")
