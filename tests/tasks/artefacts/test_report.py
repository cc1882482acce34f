"""The report: complete, self-contained, honest about questions and gaps, and safe against what
tables may contain.
"""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from demo_report import at, report_data

from data_contracts.camera import Camera, Site
from data_contracts.tables.contracts import (
    CONTACTS,
    ENCOUNTERS,
    GAPS,
    SIGHTINGS,
    TRAJECTORY,
    WINDOWS,
)
from tasks.artefacts.report import render_report
from tasks.artefacts.report.words import duration, number_of, percent
from tasks.artefacts.run_tables import RunTables

PICTURES = {name: b"\xff\xd8jpeg" for name in ("S-01.jpg", "S-02.jpg", "C-01.jpg")}


class Page(HTMLParser):
    """Tags with their attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs) -> None:
        """Keep the tag; a break separates words."""
        self.text += " " * (tag == "br")
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Attributes of every such tag."""
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def data() -> RunTables:
    """The demo case as a perfect run would have it."""
    return report_data(PICTURES)


@pytest.fixture(scope="module")
def html(data: RunTables) -> str:
    """Its report."""
    return render_report(data)


def empty(data: RunTables) -> RunTables:
    """The same case when nothing was found."""
    tables = {
        "contacts": CONTACTS,
        "sightings": SIGHTINGS,
        "trajectory": TRAJECTORY,
        "encounters": ENCOUNTERS,
    }
    tables |= {"gaps": GAPS, "windows": WINDOWS}
    return replace(
        data, pictures={}, provenance=b"{}", **{name: c.empty() for name, c in tables.items()}
    )


def test_loads_nothing_and_runs_nothing(html: str) -> None:
    """No element fetches anything, no script, and the policy in the page forbids both; its style's
    hash is right.
    """
    page = Page(html)
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & {
        t for t, _ in page.tags
    }
    for _, attrs in page.tags:
        assert not any(name.startswith("on") or name == "style" for name in attrs)
        for name in ("src", "href", "xlink:href", "srcset", "action"):
            assert (attrs.get(name) or "data:").startswith(("data:", "#"))
    csp = next(
        m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in csp
    assert "http" not in csp
    style = re.search(r"<style>(.*?)</style>", html, re.S)[1]
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in csp
    assert "url(" not in style.replace("url(#gap)", "")


def test_says_what_happened_in_words(html: str) -> None:
    """The summary counts contacts, seen time, questions and gaps of the demo's truth, and that a
    person decides.
    """
    text = " ".join(Page(html).text.split())
    assert "2 contacts under the policy Short times for short footage." in text
    assert "The subject was seen for 2 min 41 s on 3 cameras." in text
    assert "1 sighting put as a question" in text
    assert "2 stretches could not be looked at." in text
    assert "A person decides." in text


def test_shows_each_row(data: RunTables, html: str) -> None:
    """Every contact, sighting and gap is there with its numbers, in local time with UTC beside
    it.
    """
    text = " ".join(Page(html).text.split())
    for row in [*data.contacts["contact_id"], *data.sightings["sighting_id"]]:
        assert row in text
    for row in data.gaps.to_dict("records"):
        assert row["detail"] in text
        assert row["advice"] in text
    assert "09:00:14 – 09:01:26" in text
    assert "00:00:14 – 00:01:26 UTC" in text
    assert "1 min 12 s within 1.5 m" in text
    assert "subject: no mask contact: wore a mask" in text


def test_questions_are_asked(html: str) -> None:
    """A sighting below the high threshold is phrased as a question and marked as one."""
    figures = re.findall(r'<figure class="card (\w+)" id="[SC]-\d+">(.*?)</figure>', html, re.S)
    asked = [body for band, body in figures if band == "question"]
    assert len(asked) == 1
    assert "Is this the subject?" in asked[0]
    assert all("Is this the subject?" not in body for band, body in figures if band == "high")


def test_rejected_rows_are_left_out(data: RunTables) -> None:
    """What reviewers rejected is in no table, drawing or picture."""
    contacts = data.contacts.assign(review="rejected")
    html = render_report(replace(data, contacts=contacts))
    assert "C-01" not in Page(html).text
    assert "No contacts under the policy" in html


def test_pictures_are_inside_with_alternatives(html: str) -> None:
    """Each still is in the page itself and says in words what it shows."""
    images = Page(html).all("img")
    assert len(images) == 3
    assert all(
        i["src"] == "data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8jpeg").decode()
        for i in images
    )
    assert all(len(i["alt"] or "") > 20 for i in images)


def test_nothing_found_is_a_report_too(data: RunTables) -> None:
    """A run that found nothing gives a page that says so, with what was not looked at."""
    text = " ".join(Page(render_report(empty(data))).text.split())
    assert "No contacts under the policy" in text
    assert "The subject was not seen for certain." in text
    assert "The subject was not found on the footage that was looked at." in text


def test_text_of_tables_is_escaped(data: RunTables) -> None:
    """Markup in places, details or names is shown as text, in HTML and in SVG."""
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    visit = data.request.itinerary[0].model_copy(update={"place": evil})
    request = data.request.model_copy(
        update={"itinerary": (visit,), "subject": evil, "purpose": evil}
    )
    gaps = data.gaps.assign(detail=evil, advice=evil)
    page = Page(render_report(replace(data, request=request, gaps=gaps)))
    assert not page.all("script")
    assert len(page.all("img")) == len(PICTURES)
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)


def test_not_seen_is_not_called_not_looked_at(data: RunTables) -> None:
    """Footage that was searched in vain is counted apart from footage that could not be
    searched.
    """
    gaps = data.gaps.assign(kind=["no_footage", "not_seen"])
    text = " ".join(Page(render_report(replace(data, gaps=gaps))).text.split())
    assert (
        "1 stretch could not be looked at. In 1 stretch the subject was expected and not seen."
        in text
    )


def test_only_cameras_near_the_way_are_drawn(data: RunTables) -> None:
    """A camera two kilometres away is not in the plan; the demo's are."""
    like = data.site.cameras[0]
    x, y, z = like.position_local_m or (0.0, 0.0, 0.0)
    ring = tuple((a + 2000, b) for a, b in like.coverage_local_m)
    moved = {"camera_id": "far", "position_local_m": (x + 2000, y, z), "coverage_local_m": ring}
    far = Camera(**{**like.model_dump(), **moved})
    plan = render_report(replace(data, site=Site([*data.site.cameras, far], data.site.origin)))
    assert "camera lobby-a" in plan
    assert "camera far" not in plan


def test_far_apart_sightings_get_their_own_timeline(data: RunTables) -> None:
    """Seconds of a sighting stay visible on a day's timeline: each cluster has a closer look."""
    late = data.sightings.tail(1).assign(sighting_id="S-99", start_utc=at(7000), end_utc=at(7020))
    sightings = SIGHTINGS.shape([*data.sightings.to_dict("records"), *late.to_dict("records")])
    page = Page(render_report(replace(data, sightings=sightings)))
    assert len([a for a in page.all("svg") if a.get("class") == "timeline"]) == 3


def test_a_sighting_by_looks_says_so_and_names_its_rival(data: RunTables) -> None:
    """In words: what it rests on, the contact it may be as well, and that nobody is shown."""
    first = data.contacts.iloc[0]
    row = data.sightings.head(1).assign(basis="looks", band="question", rival=first["person_id"])
    likely = data.sightings.head(1).assign(sighting_id="S-98", basis="looks", band="high")
    sightings = SIGHTINGS.shape([*row.to_dict("records"), *likely.to_dict("records")])
    page = render_report(replace(data, sightings=sightings))
    words = "by the clothes and the way from where the face was seen"
    assert f"{words}; or it is {first['contact_id']}, in like clothes" in page
    assert page.count(words) == 2
    assert page.count("Nobody is shown: it may be a stranger") == 2
    faces = SIGHTINGS.shape(row.assign(basis="face"))
    page = render_report(replace(data, sightings=faces))
    assert f"by the face; or it is {first['contact_id']}, seen elsewhere at that time" in page


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.6, "1 min"), (157, "2 min 37 s"), (3599.8, "1 h"), (3900, "1 h 5 min")],
)
def test_durations(seconds: float, words: str) -> None:
    """Durations round to what a person would say."""
    assert duration(seconds) == words


def test_nothing_is_certain() -> None:
    """Probabilities are never shown as 0 or 100 per cent; counts have their plural."""
    assert [percent(p) for p in (1.0, 0.994, 0.5, 0.0)] == [
        "more than 99 %",
        "99 %",
        "50 %",
        "less than 1 %",
    ]
    assert [number_of(n, "contact") for n in (0, 1, 2)] == [
        "no contacts",
        "1 contact",
        "2 contacts",
    ]


def test_a_contact_in_doubt_says_why(data: RunTables) -> None:
    """Shows that a contact who may be the subject is a question with its reason, beside the rule
    and at the picture.
    """
    contacts = data.contacts.assign(band="question", doubt="may be the subject: <within 0.4 m>")
    text = " ".join(Page(render_report(replace(data, contacts=contacts))).text.split())
    assert "In doubt: may be the subject: <within 0.4 m>" in text
    assert "Is this somebody else than the subject?" in text
