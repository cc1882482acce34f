"""`encounter case purge | close | notice` and the shared end of `consent withdraw`: one code path
ends a case.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from data_contracts.deletion import KINDS, Receipt
from data_contracts.errors import KeyMissing
from flows.cli.console import print_as_written, say

CaseId = Annotated[str, typer.Argument(help="Case id, such as K-2026-0042.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without, only says what would go.")]
Reason = Annotated[str, typer.Option(help="Why, for the receipt; no personal data.")]


def purge(case_id: CaseId, yes: Yes = False, reason: Reason = "purged by hand") -> None:
    """Destroy a case: its key, then everything of it, verified, with a signed receipt. Without
    --yes: what would go.
    """
    end_case(case_id, reason, yes)


def close(case_id: CaseId, yes: Yes = False) -> None:
    """Close a case whose purpose has ended: the same as purge. Footage is the recorder's and
    stays.
    """
    end_case(case_id, "closed", yes)


def end_case(case_id: str, reason: str, yes: bool) -> Receipt | None:
    """Print the plan, or carry it out. Raises NotFound where there is no such case."""
    from flows.cases.destroy import destroy_case, plan_of
    from flows.cases.ending_environment import ending_environment
    from flows.runtime.prefect_api import use_server
    from tasks.ending.purge import plan_lines

    env = ending_environment()
    use_server(env.settings)
    if not yes:
        plan = plan_of(case_id, reason, env)
        say(f"case {case_id}: this would go, in this order, and a signed receipt would be written:")
        for line in plan_lines(plan):
            say(f"  {line}")
        say("nothing was changed; repeat with --yes")
        return None
    return tell(destroy_case(case_id, reason, env))


def tell(receipt: Receipt) -> Receipt:
    """Say that a case is gone, and where its receipt is."""
    case_id = receipt.case_id
    counted = {
        kind: max(receipt.found.get(kind, 0), receipt.destroyed.get(kind, 0)) for kind in KINDS
    }
    say(
        f"case {case_id} is gone ({receipt.reason}): {counted['object_versions']} objects, "
        f"{counted['runs']} runs"
    )
    say(f"receipt {receipt.key}; get it with: encounter receipt fetch {case_id}")
    return receipt


def notice(case_id: CaseId) -> None:
    """What the subject is told, as Markdown: collected, shared, destroyed, from the case's own
    record.
    """
    from flows.cases.case_facts import case_facts, shared
    from flows.cases.receipts import earlier_receipt
    from flows.runtime.environment import environment
    from flows.runtime.open_case import open_case
    from tasks.ending.notice import case_notice, receipt_notice

    env = environment()
    try:
        case = open_case(case_id, env)
    except KeyMissing:
        print_as_written(receipt_notice(earlier_receipt(env, case_id)))
        return
    facts = case_facts(env, case_id).model_copy(update={"shared": shared(env, case_id)})
    kept_until = case.request.filed_utc + timedelta(days=env.settings.retention.case_days)
    print_as_written(
        case_notice(case.authorised, facts, min(kept_until, case.authorised.expires_utc))
    )
