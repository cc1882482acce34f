"""The page: what the template shows, prepared; the template only lays it out."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from data_contracts.policy import Policy
from data_contracts.time import Interval, merge
from tasks.artefacts.formats import stays
from tasks.artefacts.report import words
from tasks.artefacts.report.floor_plan import draw_plan
from tasks.artefacts.report.timeline import draw_timelines
from tasks.artefacts.report.words import Clock, duration, masks, number_of, percent
from tasks.artefacts.run_tables import RunTables

# A still is some 100 KB: a page of more of them is slow to open; the others lie beside the report.
_MAX_STILLS = 80
_MAX_GAPS = 300


def render_report(data: RunTables, beside: Sequence[tuple[str, str]] = ()) -> str:
    """The whole page as one HTML text that loads nothing and runs no script.

    `beside`: names of what lies beside the page, and what it is.
    """
    clock = Clock(data.site)
    sightings = data.sightings[data.sightings["review"] != "rejected"].sort_values("start_utc")
    contacts = data.contacts[data.contacts["review"] != "rejected"].sort_values("start_utc")
    style = _file("style.css") + _file("drawing.css") + _on_each_sheet(data.request.case_id)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    stills = _Stills(data.pictures)
    return _template().render(
        data=data,
        clock=clock,
        style=Markup(style),  # noqa: S704  our own file
        csp=(
            f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; "
            "form-action 'none'"
        ),
        summary=_summary_lines(sightings, contacts, data),
        contacts=[_contact_facts(row, data.policy, stills) for row in contacts.to_dict("records")],
        sightings=[_sighting_facts(row, data, stills) for row in sightings.to_dict("records")],
        stays=stays(data.trajectory),
        gaps=_gap_rows(data.gaps),
        gaps_left_out=max(0, len(data.gaps) - _MAX_GAPS),
        stills_left_out=stills.left_out,
        plan=draw_plan(data.site, data.trajectory, contacts, clock),
        timelines=draw_timelines(data.request, data.windows, sightings, contacts, data.gaps, clock),
        provenance=_NO_PROVENANCE | json.loads(data.provenance),
        beside=beside,
    )


_NO_PROVENANCE = {"models": {}, "inputs": [], "inputs_sha256": "", "software": {}}


def _file(name: str) -> str:
    return (resources.files("tasks.artefacts.report") / name).read_text(encoding="utf-8")


def _on_each_sheet(case_id: str) -> str:
    """What a printed sheet has at its edges: the case and which page of how many. A case's id has
    letters, digits and hyphens alone.
    """
    pages = 'counter(page) " / " counter(pages)'
    return (
        f'@page {{ @top-left {{ content: "{case_id}"; }} @bottom-right {{ content: {pages}; }} }}\n'
    )


def _template() -> jinja2.Template:
    text = _file("report.html.j2")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.globals.update(
        {"duration": words.duration, "percent": words.percent, "number_of": words.number_of}
    )
    return environment.from_string(text)


def _summary_lines(sightings: pd.DataFrame, contacts: pd.DataFrame, data: RunTables) -> list[str]:
    """The result in a few sentences, the most important first."""
    sure = sightings[sightings["band"] == "high"]
    asked = int((sightings["band"] == "question").sum())
    sure_contacts, asked_contacts = (
        int((contacts["band"] == b).sum()) for b in ("high", "question")
    )
    out = [
        f"{number_of(sure_contacts, 'contact').capitalize()} under the policy {data.policy.title}."
    ]
    if asked_contacts:
        out.append(
            f"{number_of(asked_contacts, 'more possible contact').capitalize()}, to be decided by "
            "a person."
        )
    if len(sure):
        seconds = sum(i.seconds for i in merge(_table_intervals(sure)))
        cameras = number_of(sure["camera_id"].nunique(), "camera")
        out.append(f"The subject was seen for {duration(seconds)} on {cameras}.")
    else:
        out.append("The subject was not seen for certain.")
    if asked:
        out.append(
            f"{number_of(asked, 'sighting').capitalize()} put as a question: is this the subject?"
        )
    others = data.encounters["person_id"].nunique()
    out.append(
        f"{number_of(others, 'person', 'people').capitalize()} came within 3 m of the subject."
    )
    return out + _left_out(data.gaps)


def _left_out(gaps: pd.DataFrame) -> list[str]:
    """Sentences on the gaps: what could not be looked at is not the same as what was looked at in
    vain.
    """
    searched = gaps["kind"].isin(["not_seen", "not_infectious", "doubtful_time"])
    unseen = int((gaps["kind"] == "not_seen").sum())
    missed = int((~searched).sum())
    left = number_of(missed, "stretch", "stretches").capitalize()
    out = [f"{left} could not be looked at." if missed else "Everything planned was looked at."]
    if unseen:
        out.append(
            f"In {number_of(unseen, 'stretch', 'stretches')} the subject was expected and not seen."
        )
    return out


def _table_intervals(table: pd.DataFrame) -> list[Interval]:
    return [Interval(s, e) for s, e in zip(table["start_utc"], table["end_utc"], strict=True)]


def _contact_facts(row: dict[Any, Any], policy: Policy, stills: _Stills) -> dict[str, Any]:
    tier = next((t for t in policy.tiers if t.name == row["tier"]), None)
    return {
        **row,
        "exposure": duration(row["exposure_s"]),
        "interval": f"{duration(row['exposure_s_lo'])} to {duration(row['exposure_s_hi'])}",
        "within": f"within {tier.max_distance_m:g} m" if tier else "",
        "chance": percent(row["probability"]),
        "subject_mask": masks(row["subject_mask"]),
        "person_mask": masks(row["person_mask"]),
        "reviewed": words.reviewed(row["review"]),
        "cameras": ", ".join(c.strip() for c in str(row["cameras"]).split(",")),
        "still": stills.uri(str(row["contact_id"])),
    }


def _sighting_facts(row: dict[Any, Any], data: RunTables, stills: _Stills) -> dict[str, Any]:
    camera = data.site.by_id.get(row["camera_id"])
    basis = {
        "face": "by the face",
        "looks": "by the clothes and the way from where the face was seen",
        "pointed": "somebody pointed at them in the picture",
        "confirmed": "confirmed by two reviewers",
        "position": "by the place, seen at once by another camera",
    }
    return {
        **row,
        "camera": camera.name if camera and camera.name else row["camera_id"],
        "length": duration((row["end_utc"] - row["start_utc"]).total_seconds()),
        "chance": percent(row["probability"]),
        "basis": basis.get(row["basis"], row["basis"])
        + _rival_sentence(row["rival"], row["basis"] == "looks", data.contacts),
        "shown": row["review"] == "confirmed"
        or (row["band"] == "high" and row["basis"] != "looks"),
        "reviewed": words.reviewed(row["review"]),
        "face": "" if pd.isna(row["max_face_px"]) else f"widest face {row['max_face_px']:.0f} px",
        "still": stills.uri(str(row["sighting_id"])),
    }


def _rival_sentence(person: str | None, by_looks: bool, contacts: pd.DataFrame) -> str:
    """Who else a question may be about, by the contact's number where it is one."""
    if pd.isna(person):
        return ""
    numbers = contacts.loc[contacts["person_id"] == person, "contact_id"]
    who = numbers.iloc[0] if len(numbers) else "somebody who is not a contact"
    how = "in like clothes" if by_looks else "seen elsewhere at that time"
    return f"; or it is {who}, {how}"


def _gap_rows(gaps: pd.DataFrame) -> list[dict[Any, Any]]:
    return gaps.sort_values(["start_utc", "camera_id"]).head(_MAX_GAPS).to_dict("records")


class _Stills:
    """Pictures as data URIs, up to a number."""

    def __init__(self, pictures: dict[str, bytes]) -> None:
        self._pictures = pictures
        self._given = 0
        self.left_out = 0

    def uri(self, name: str) -> str:
        """The still of a sighting or contact; empty where there is none."""
        picture = self._pictures.get(f"{name}.jpg")
        if picture is None:
            return ""
        if self._given >= _MAX_STILLS:
            self.left_out += 1
            return ""
        self._given += 1
        return "data:image/jpeg;base64," + base64.b64encode(picture).decode()
