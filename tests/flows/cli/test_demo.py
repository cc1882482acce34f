"""The demo is for a store of its own: a site that is configured is left as it is."""

from __future__ import annotations

import secrets

import pytest
from closing import environment_of

from data_contracts import object_key
from data_contracts.errors import BadInput
from flows.cases.key_changes import ensure_demo_root, listed_keys, proposal, publish_list
from flows.cases.throwaway import papers
from flows.cli.demo import SITE, publish_demo_site
from flows.cli.request import read_references
from flows.runtime.environment import Environment
from infra.case_store import CaseStore
from infra.key_source import load_master_keys
from infra.settings import Settings, load_settings
from infra.store import ObjectStore
from tasks.consent.grant_token import generate_key
from tasks.search.itinerary import read_itinerary

pytestmark = pytest.mark.stack


@pytest.fixture
def env(settings: Settings) -> Environment:
    """A store whose buckets are this test's own."""
    s3 = settings.s3.model_copy(update={"bucket_prefix": f"e{secrets.token_hex(4)}-"})
    own = load_settings(home=settings.home, s3=s3.model_dump())
    store = ObjectStore(own.s3)
    store.ensure_buckets()
    return environment_of(own, store, CaseStore(store, load_master_keys(own)))


def site_of(env: Environment) -> dict[str, bytes]:
    """Everything in the site bucket."""
    return {i.key: env.store.get(object_key.SITE, i.key) for i in env.store.list("site", "")}


def test_a_configured_store_is_left_as_it_is(env: Environment) -> None:
    """Cameras or trusted keys of a site's own: the demo is refused, and changes nothing."""
    env.store.put(object_key.SITE, object_key.CAMERAS, b"{}")
    before = site_of(env)
    with pytest.raises(BadInput, match="cameras that are not the demo's"):
        publish_demo_site(env)
    assert site_of(env) == before
    env.store.remove_all_versions(object_key.SITE, object_key.CAMERAS)
    _, public = generate_key("Dr Kim", ("consent",))
    publish_list(env, proposal(env, (public,), [ensure_demo_root(env.settings)]))
    with pytest.raises(BadInput, match="trusted keys of its own"):
        publish_demo_site(env)
    assert not site_of(env)
    assert listed_keys(env) == (public,)


def test_a_store_of_the_demo_is_used_again(env: Environment) -> None:
    """In a fresh store, and after a demo there, the demo runs."""
    for number in range(2):
        publish_demo_site(env)
        visits = read_itinerary((SITE / "itinerary.csv").read_text())
        pictures = read_references([SITE / "reference"])
        papers(env, f"DEMO-{number}", visits, pictures, "demo-short", "test")
    assert len(listed_keys(env)) == 2
