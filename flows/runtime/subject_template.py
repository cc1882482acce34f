"""Reading the subject's template, and looks, in the process that compares with them."""

from __future__ import annotations

from functools import partial

from data_contracts import object_key
from flows.runtime.open_case import OpenCase
from tasks.observe.day_looks import DayLooks, looks_from_bytes
from tasks.observe.template import Derive, SubjectTemplate, from_bytes


def load_template(case: OpenCase) -> SubjectTemplate | None:
    """The subject's template, stored under the case's key; its secret is derived here and never
    travels. None where faces are not searched.

    A job names the template's digest, which decides under what name its result lies, and is not
    held against what is read: the digest is of the pictures and models, a case's pictures never
    change, and its one claim (docs/decisions/0003) lets one run build at a time.
    """
    if "face" not in case.authorised.scopes:
        return None
    return from_bytes(
        case.vault.get(object_key.template(case.vault.case_id)),
        secret_of(case),
    )


def secret_of(case: OpenCase) -> Derive:
    """What makes a template's secret of its salt, with the case's key."""
    return partial(case.vault.derive, "subject template")


def load_looks(case: OpenCase) -> DayLooks:
    """The subject's looks of the day, stored as the template is, under a secret of their own."""
    return looks_from_bytes(
        case.vault.get(object_key.looks(case.vault.case_id)),
        looks_secret_of(case),
    )


def looks_secret_of(case: OpenCase) -> Derive:
    """What makes the looks' secret of their salt, with the case's key."""
    return partial(case.vault.derive, "subject looks")
