"""Never 1, for good: tokens are good for one filing, for a bounded time and for what they were
signed for. Each test tries to search a second time, for longer, later, or for somebody else.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from shapely.geometry import Polygon
from typer.testing import CliRunner

from data_contracts import object_key
from data_contracts.audit import GENESIS, AuditEntry, link, read_link
from data_contracts.authorisation import AuthorisedCase, Limits
from data_contracts.case import Visit
from data_contracts.errors import BadInput, KeyMissing, NotAuthorised, StoreError
from data_contracts.time import now_utc
from flows.cases.destroy import destroy_case
from flows.cases.expiry import papers_of
from flows.cases.filing import Papers, store_case
from flows.cases.throwaway import papers
from flows.cases.withdraw import mark_withdrawn
from flows.cli.main import app
from flows.runtime import environment as environment_module
from flows.runtime.environment import Environment, site
from flows.runtime.open_case import open_case
from flows.stages import claim
from infra.master_keys import LocalMasterKey, MasterKey, MasterKeys
from infra.token_list import TokenList, id_of
from tasks.audit.fhir import event
from tasks.ending.purge import plan_purge
from tasks.search.itinerary import read_itinerary

pytestmark = pytest.mark.stack
DEMO = Path(__file__).parents[2] / "demo"
_numbers = itertools.count(1)


class Keys(MasterKeys):
    """Master keys of this test, newest first."""

    def __init__(self, *keys: MasterKey) -> None:
        super().__init__()
        self._keys = keys

    def read(self) -> Sequence[MasterKey]:
        """As given."""
        return self._keys

    def add(self) -> MasterKey:
        """Not asked for here."""
        raise AssertionError

    def destroy(self, key_id: str) -> None:
        """Not asked for here."""
        raise AssertionError


def signed(env: Environment, **changes: object) -> Papers:
    """Papers of a fresh case."""
    visits = read_itinerary((DEMO / "itinerary.csv").read_text())
    given = {"visits": visits, "references": {"a.jpg": b"picture"}, **changes}
    return papers(env, f"K-ONCE-{next(_numbers):03d}", policy="demo-short", basis="test", **given)


def refusals(env: Environment, case_id: str) -> list[AuditEntry]:
    """What the log says was refused of a case."""
    entries = [read_link(s.data).entry for s in env.audit_log.read() if s.data]
    return [e for e in entries if e.case_id == case_id and e.action == "refuse"]


def by_withdrawal(env: Environment, case_id: str) -> None:
    """As `encounter consent withdraw` ends a case."""
    mark_withdrawn(env, case_id)
    destroy_case(case_id, "consent was withdrawn", env)


def by_closing(env: Environment, case_id: str) -> None:
    """As `encounter case close` and the expiry end it."""
    destroy_case(case_id, "closed", env)


def by_force(env: Environment, case_id: str) -> None:
    """Somebody deletes the case's objects around the program."""
    env.store.remove_all_versions(object_key.CASES, f"{case_id}/")


@pytest.mark.parametrize("end", [by_withdrawal, by_closing, by_force])
def test_the_same_two_tokens_are_not_filed_again(
    env: Environment, end: Callable[[Environment, str], None]
) -> None:
    """However a case ended, its tokens file nothing any more; the refusal is in the log."""
    made = signed(env)
    store_case(env, made)
    open_case(made.request.case_id, env)
    end(env, made.request.case_id)
    with pytest.raises(NotAuthorised, match="withdrawn" if end is by_withdrawal else "used"):
        store_case(env, made)
    assert not env.cases.has_key(made.request.case_id)
    assert refusals(env, made.request.case_id)


@pytest.mark.parametrize("end", [by_withdrawal, by_closing])
def test_a_case_that_is_put_back_is_not_searched(
    env: Environment, end: Callable[[Environment, str], None]
) -> None:
    """Somebody kept the case's objects, its wrapped key too, and puts them back after its end: no
    stage opens it, and the next pass destroys it again without waiting.
    """
    made = signed(env)
    store_case(env, made)
    case_id = made.request.case_id
    listed = env.store.list(object_key.CASES, f"{case_id}/")
    kept = {item.key: env.store.get(object_key.CASES, item.key) for item in listed}
    end(env, case_id)
    for key, data in kept.items():
        env.store.put(object_key.CASES, key, data)
    assert env.cases.has_key(case_id)
    with pytest.raises(NotAuthorised, match="withdrawn" if end is by_withdrawal else "used"):
        open_case(case_id, env)
    (doomed,) = plan_purge([papers_of(env, case_id)], now_utc(), 28, 3)
    assert not doomed.by_time
    destroy_case(case_id, doomed.reason, env)
    assert not env.cases.has_key(case_id)


def test_a_filing_that_broke_off_goes_on_with_its_tokens(env: Environment) -> None:
    """Killed before the request was written, a filing is repeated with the same papers."""
    made = signed(env)
    store_case(env, made)
    case_id = made.request.case_id
    env.store.remove_all_versions(object_key.CASES, object_key.request(case_id))
    store_case(env, made)
    assert open_case(case_id, env).request == made.request
    with pytest.raises(BadInput, match="filed already"):
        store_case(env, made)


def test_a_withdrawal_stops_before_anything_is_destroyed(env: Environment) -> None:
    """The mark is in the locked list, not beside the case: nobody who may write to the case's
    folder can take it back.
    """
    made = signed(env)
    store_case(env, made)
    mark_withdrawn(env, made.request.case_id)
    for item in env.store.list_versions(object_key.AUDIT, "tokens/"):
        if item.key.endswith("withdrawn"):
            env.store._client.remove_object(env.store.bucket(object_key.AUDIT), item.key)
    with pytest.raises(NotAuthorised, match="withdrawn"):
        open_case(made.request.case_id, env)


def test_a_locked_list_is_neither_deleted_nor_emptied(env: Environment) -> None:
    """Deleting a version of the list is refused by the object lock; a delete marker, or another
    content on top, ends the case instead of freeing its tokens.
    """
    assert env.audit_log.locked
    made = signed(env)
    store_case(env, made)
    authorised = open_case(made.request.case_id, env).authorised
    key = object_key.token(env.tokens._digest(id_of(authorised.consent)), "filed")
    (version,) = env.store.list_versions(object_key.AUDIT, key)
    with pytest.raises(StoreError):
        env.store.remove_versions(object_key.AUDIT, [version])
    env.store._client.remove_object(env.store.bucket(object_key.AUDIT), key)
    open_case(made.request.case_id, env)
    by_force(env, made.request.case_id)
    with pytest.raises(NotAuthorised, match="used"):
        store_case(env, made)
    other = signed(env)
    store_case(env, other)
    authorised = open_case(other.request.case_id, env).authorised
    env.store.put(
        object_key.AUDIT,
        object_key.token(env.tokens._digest(id_of(authorised.consent)), "filed"),
        b"",
    )
    with pytest.raises(NotAuthorised, match="used"):
        open_case(other.request.case_id, env)


def test_the_list_names_nobody_and_another_key_reads_nothing(env: Environment) -> None:
    """Digests are keyed: neither case, subject nor token id is in the list, and a process with
    another master key is refused instead of finding an empty list. A rotation carries it over.
    """
    made = signed(env)
    store_case(env, made)
    authorised = open_case(made.request.case_id, env).authorised
    listed = env.store.list_versions(object_key.AUDIT, "tokens/")
    for item in (i for i in listed if not i.is_delete_marker):
        held = item.key.encode() + env.store.get(
            object_key.AUDIT, item.key, version_id=item.version_id
        )
        for word in (made.request.case_id, made.request.subject, authorised.consent.token_id):
            assert word.encode() not in held
    other = LocalMasterKey(b"k" * 32)
    stranger = TokenList(env.store, Keys(other), 180, locked=True)
    with pytest.raises(KeyMissing):
        stranger.before_filing(id_of(authorised.consent))
    assert TokenList(env.store, Keys(other, env.cases.keys.newest()), 180, locked=True).wrap_anew()
    assert stranger.before_filing(id_of(authorised.consent)) == "spent"


def test_a_token_of_ten_years_is_refused(env: Environment) -> None:
    """A token's life and the time it names are bounded."""
    with pytest.raises(NotAuthorised, match="valid for 3650 days"):
        store_case(env, signed(env, expires=timedelta(days=3650)))
    now = now_utc()
    years = (
        Visit(place="lobby", from_utc=now - timedelta(days=3650), to_utc=now - timedelta(hours=1)),
    )
    with pytest.raises(NotAuthorised, match="days of recordings"):
        store_case(env, signed(env, visits=years))


def test_an_approval_does_not_raise_its_own_limits(env: Environment) -> None:
    """What the approval names may not be more than the settings; what it names less holds."""
    strict = env.settings.model_copy(update={"grants": Limits(cameras=2, runs=1)})
    small = dataclasses.replace(env, settings=strict)
    with pytest.raises(NotAuthorised, match=r"cameras, runs is more than the settings"):
        store_case(small, signed(env))


def test_runs_are_counted_where_nobody_can_take_them_back(env: Environment) -> None:
    """The approval's runs are used up: one more is refused, whatever the case's own claim says."""
    strict = dataclasses.replace(
        env, settings=env.settings.model_copy(update={"grants": Limits(runs=2)})
    )
    made = signed(strict)
    store_case(env, made)
    case_id = made.request.case_id
    case = open_case(case_id, env)
    assert claim.runs_left(case) == 2
    for flow in ("flow 1", "flow 2"):
        assert claim._claimed_run(open_case(case_id, env), flow, again=True)
        made_up = claim.read_claim(case.vault)
        assert made_up is not None
        claim._write_claim(case.vault, made_up.model_copy(update={"state": "published"}))
    assert claim.runs_left(case) == 0
    with pytest.raises(NotAuthorised, match="allows 2 runs"):
        claim._claimed_run(open_case(case_id, env), "flow 3", again=True)
    env.store.remove_all_versions(object_key.CASES, object_key.claim(case_id))
    with pytest.raises(NotAuthorised, match="allows 2 runs"):
        claim._claimed_run(open_case(case_id, env), "flow 3", again=True)


def test_nothing_after_the_filing_is_searched(env: Environment) -> None:
    """Consent and approval may name tomorrow: what may be searched ends when the case was filed; a
    case filed "in 2036" is refused.
    """
    now = now_utc()
    visit = Visit(place="lobby", from_utc=now - timedelta(hours=2), to_utc=now + timedelta(hours=9))
    made = signed(env, visits=(visit,))
    store_case(env, made)
    case = open_case(made.request.case_id, env).authorised
    assert case.consent.to_utc > now + timedelta(hours=9)
    assert case.span.end_utc == made.request.filed_utc <= now_utc()
    later = signed(env)
    ahead = later.request.model_copy(update={"filed_utc": now + timedelta(days=3650)})
    with pytest.raises(NotAuthorised, match="later than now"):
        store_case(env, Papers(ahead, later.consent, later.approval, later.references))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"onset_utc": now_utc()}, "another onset"),
        ({"sample_utc": now_utc()}, "another onset"),
        ({"itinerary": ()}, "another itinerary"),
    ],
)
def test_what_was_not_signed_is_not_filed(
    env: Environment, changed: dict[str, object], says: str
) -> None:
    """Another onset or another itinerary under the same tokens: refused with what differs."""
    made = signed(env)
    request = made.request.model_copy(update=changed)
    with pytest.raises(NotAuthorised, match=says):
        store_case(env, Papers(request, made.consent, made.approval, made.references))


@pytest.mark.parametrize("name", ["a.jpg", "n2.jpg"])
def test_somebody_elses_picture_is_refused_by_name(env: Environment, name: str) -> None:
    """A picture in the place of the signed one, or beside it, is refused by its file name."""
    made = signed(env)
    pictures = {**made.references, name: b"somebody else"}
    request = made.request.model_copy(update={"reference_images": tuple(sorted(pictures))})
    with pytest.raises(NotAuthorised, match=f"not signed for picture {name}"):
        store_case(env, Papers(request, made.consent, made.approval, pictures))
    assert refusals(env, request.case_id)


def test_the_log_has_what_the_tokens_are_bound_to(env: Environment) -> None:
    """Digests of pictures, itinerary and window stand in the entry, and say nothing by themselves:
    two tokens of one picture have different ones.
    """
    made = signed(env)
    store_case(env, made)
    case = open_case(made.request.case_id, env).authorised
    entries = [read_link(s.data).entry for s in env.audit_log.read() if s.data]
    (entry,) = [e for e in entries if e.case_id == made.request.case_id]
    for grant in (case.consent, case.approval):
        bound = grant.binding
        for digest in (*bound.pictures, bound.itinerary, bound.window):
            assert any(digest in name for name in entry.objects)
    assert not set(case.consent.binding.pictures) & set(case.approval.binding.pictures)


def test_a_subclass_is_no_authorised_case() -> None:
    """A class that only inherits the type, to be taken for it, cannot be made."""
    with pytest.raises(NotAuthorised):
        type("Mine", (AuthorisedCase,), {"scopes": frozenset({"face"})})


def test_authorising_parses_the_cameras_once(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same camera file is not parsed again at each authorising, nor by another process of this
    machine; a new one is.
    """
    parsed = []
    real = environment_module.read_site
    monkeypatch.setattr(
        environment_module, "read_site", lambda data: parsed.append(len(data)) or real(data)
    )
    data = (DEMO / "cameras.geojson").read_bytes()
    env.store.put(object_key.SITE, object_key.CAMERAS, data + b"\n")
    assert site(env) is site(env)
    assert len(parsed) == 1
    environment_module._site_of.cache_clear()
    assert set(site(env).by_id) == {"lobby-a", "lobby-b", "entrance", "corridor"}
    assert len(parsed) == 1
    env.store.put(object_key.SITE, object_key.CAMERAS, data + b"\n\n")
    site(env)
    assert len(parsed) == 2


def test_a_new_camera_file_counts_at_the_next_authorising(env: Environment) -> None:
    """An area names the cameras that stand in it by the file in force now, though cameras are kept:
    a camera that was taken out of the area is not searched any more.
    """
    data = json.loads((DEMO / "cameras.geojson").read_bytes())
    env.store.put(object_key.SITE, object_key.CAMERAS, json.dumps(data).encode())
    ring = Polygon([(-50, -50), (50, -50), (50, 50), (-50, 50)])
    assert "corridor" in site(env).standing_in(ring)
    moved = next(f for f in data["features"] if f["id"] == "corridor")
    moved["properties"]["position_local_m"][0] += 1000
    env.store.put(object_key.SITE, object_key.CAMERAS, json.dumps(data).encode())
    assert site(env).standing_in(ring) == ("entrance", "lobby-a", "lobby-b")


def test_the_command_withdraws_for_good(env: Environment) -> None:
    """`encounter consent withdraw`, then the same papers again: refused as withdrawn."""
    made = signed(env)
    store_case(env, made)
    assert (
        CliRunner().invoke(app, ["consent", "withdraw", made.request.case_id, "--yes"]).exit_code
        == 0
    )
    with pytest.raises(NotAuthorised, match="withdrawn"):
        store_case(env, made)
    entries = [read_link(s.data).entry for s in env.audit_log.read() if s.data]
    about = [e for e in entries if e.case_id == made.request.case_id]
    (withdrawn,) = [e for e in about if e.action == "withdraw"]
    (filed,) = [e for e in about if e.action == "authorise"]
    assert withdrawn.papers == tuple(p for p in filed.papers if p.startswith("consent:"))
    told = [event(link(GENESIS, e)) for e in about if e.action in ("withdraw", "refuse")]
    assert withdrawn.papers[0] in str(told[0]["entity"])
    assert "withdrawn" in told[-1]["outcomeDesc"]
