"""What the pages of filing say of what is wrong with a field, by the short codes that the checks
give. Looked up in the catalogue where they are shown.
"""

from __future__ import annotations

from collections.abc import Callable

from data_contracts.policy import Policy, Tier
from flows.cases.draft_request import Missing, PersonCode, PersonField
from flows.desk.language import mark
from flows.desk.words import duration
from tasks.search.pasted_rows import PasteFault
from tasks.search.typed_visit import Code

STEPS = (
    ("person", mark("Person and dates")),
    ("itinerary", mark("Itinerary")),
    ("pictures", mark("Pictures")),
    ("hand-over", mark("Check and hand over")),
)

STAGES = {
    "open": mark("being written"),
    "consent": mark("waits for the consent officer"),
    "approval": mark("waits for the approver"),
}

PERSON: dict[PersonCode, str] = {
    "case_id": mark("Give 3 to 40 capital letters, digits and hyphens, such as K-2026-0042."),
    "taken": mark("There is a case of this number already."),
    "missing": mark("Fill this in."),
    "no_date": mark("Give the day of onset; of a person without symptoms the day of the sample."),
    "unreadable": mark("This is not a day: write it like 2026-11-16."),
    "future": mark("This day has not come yet."),
    "policy": mark("Choose a policy."),
}

ROWS: dict[Code, str] = {
    "missing": mark("Fill this in."),
    "unreadable": mark("This cannot be read as a time: write it like 2026-11-16 09:00."),
    "ambiguous_day": mark("Day and month can be taken for one another: write 2026-11-16 09:00."),
    "no_time": mark("Give the day and the time of day, such as 2026-11-16 09:00."),
    "skipped": mark("This time did not exist: the clocks went forward over it."),
    "twice": mark("This time came twice, the clocks went back: say which is meant."),
    "not_after": mark("The end must be after the start."),
    "future": mark("This time has not come yet."),
    "tolerance": mark("Give minutes, 0 to 360."),
}

MISSING: dict[Missing, str] = {
    "visits": mark("The itinerary has no place."),
    "pictures": mark("There is no picture."),
}

PASTE: dict[PasteFault, str] = {
    "nothing": mark("There are no rows in it."),
    "workbook": mark("This is a workbook: copy its cells and paste them, or save it as CSV."),
    "encoding": mark("The letters of this file cannot be read: save it as CSV (UTF-8)."),
    "columns": mark("Expected the columns place, from, to and perhaps tolerance in minutes."),
    "too_many": mark("These are more rows than an itinerary has (60)."),
    "quotes": mark("A quotation mark is open: the rows cannot be told apart."),
}

PICTURES = {
    "unreadable": mark("This is not a JPEG or PNG picture, or it is too large."),
    "no_face": mark("No face was found: take a clear picture of the face."),
    "several_faces": mark("Several people are in it: crop it so that only the person is left."),
    "small_face": mark("The face is too small: take a picture from nearer."),
    "too_many": mark("A case has 8 pictures at most: remove one first."),
}

FIELDS: dict[PersonField, str] = {
    "case_id": mark("Number of the case"),
    "subject": mark("Pseudonym of the person"),
    "onset": mark("Day of the first symptoms"),
    "sample": mark("Day of the positive sample"),
    "policy": mark("Who counts as a contact"),
}


def tier(text: Callable[..., str], rule: Tier) -> str:
    """A rule of a policy in the language of `text`."""
    metres = f"{rule.max_distance_m:g}"
    if rule.min_duration_s == 0:
        return text("closer than %(m)s m at any time", m=metres)
    for_long = duration(text, rule.min_duration_s)
    return text("closer than %(m)s m for %(long)s or more", m=metres, long=for_long)


def days(text: Callable[..., str], policy: Policy) -> str:
    """When a policy takes somebody for infectious, with symptoms and without."""
    ill = policy.infectious_symptomatic
    well = policy.infectious_asymptomatic
    of_ill = {"before": f"{-ill.from_days:g}", "after": _after(text, ill.to_days)}
    of_well = {"before": f"{-well.from_days:g}", "after": _after(text, well.to_days)}
    return " ".join(
        (
            text("With symptoms: from %(before)s days before onset %(after)s.", **of_ill),
            text("Without: from %(before)s days before the sample %(after)s.", **of_well),
        )
    )


def _after(text: Callable[..., str], to_days: float | None) -> str:
    if to_days is None:
        return text("on, without an end")
    said = f"{to_days:g}"
    return text("to %(days)s days after it", days=said)
