"""Fixtures that start real things: an object store, a fresh case, the whole stack. Each is started
once, lazily.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from soft_token import PIN, TOKEN, make_token

from data_contracts import object_key
from flows.cli.programs import PROGRAMS
from flows.runtime.environment import Environment, environment
from infra.case_store import CaseStore, CaseVault
from infra.key_source import load_master_keys
from infra.local import stack as stack_module
from infra.local.stack import StackInfo
from infra.settings import HOME_VARIABLE, PREFIX, Settings, load_settings
from infra.store import ObjectStore

DEMO = Path(__file__).parents[1] / "demo"
_case_numbers = itertools.count(1)
_labels = itertools.count(1)
# Where two processes share the tests (`make test`), these stay together: they share one stack and
# a traced case. They take longest, and mostly wait: they begin first, then stacks of their own.
_ON_THE_STACK = (
    "tests/scenarios/test_alerts.py",
    "tests/scenarios/test_starting.py",
    "tests/scenarios/test_trace_case.py",
    "tests/scenarios/test_trace_then_purge.py",
    "tests/infra/local/test_stack.py",
    "tests/security/test_other_user.py",
    "tests/security/test_prefect_login.py",
    "tests/security/test_private_home.py",
)
_BEGIN_FIRST = (
    *_ON_THE_STACK,
    "tests/scenarios/test_power_cut.py",
    "tests/flows/cli/test_wheel.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first."""
    places = {name: place - len(_BEGIN_FIRST) for place, name in enumerate(_BEGIN_FIRST)}
    items.sort(key=lambda item: places.get(_file_of(item.nodeid), 0))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """What goes to a process as one: a file, or all on the one stack. (The mark that pytest-xdist
    3.8 has for it, `xdist_group`, does nothing under pytest 9.2.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = _file_of(nodeid)
            return "stack" if file in _ON_THE_STACK else file

    config.option.loadscopereorder = False
    return ByFile(config, log)


def _file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many inputs the fuzzing tried, one line a target, whichever process did."""
    told = [
        counts
        for report in terminalreporter.getreports("")
        for name, counts in report.user_properties
        if name == "inputs tried"
    ]
    if told:
        from tests.fuzz import tally

        tally.TRIED.update({name: Counter(n) for counts in told for name, n in counts.items()})
        terminalreporter.section("inputs tried")
        for line in tally.summary():
            terminalreporter.write_line(line)


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    """Tests see the defaults, not the settings of whoever runs them, and no home in the working
    folder.
    """
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(PREFIX)}
    # pytest keeps the homes of three runs.
    os.environ["ENCOUNTER_STACK__RESERVE_MB"] = "0"
    yield
    os.environ.update(kept)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A throw-away home for the whole test run."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def store_info(home: Path) -> Iterator[StackInfo]:
    """Only the object store runs."""
    settings = load_settings(home=home)
    try:
        yield stack_module.up(settings, parts=("store",))
    finally:
        stack_module.down(load_settings(home=home))


@pytest.fixture(scope="session")
def settings(store_info: StackInfo) -> Settings:
    """Settings with the address and credentials of the running object store."""
    return store_info.settings


@pytest.fixture(scope="session")
def store(settings: Settings) -> ObjectStore:
    """A real S3 store with the project's buckets, shared by all tests: use keys of your own."""
    return ObjectStore(settings.s3)


@pytest.fixture(scope="session")
def case_store(store: ObjectStore, settings: Settings) -> CaseStore:
    """Makes and opens cases in the shared store."""
    return CaseStore(store, load_master_keys(settings))


@pytest.fixture
def vault(case_store: CaseStore) -> CaseVault:
    """A fresh case with a key of its own."""
    return case_store.create_key(f"K-TEST-{next(_case_numbers):04d}")


@pytest.fixture(scope="session")
def stack(store_info: StackInfo) -> StackInfo:
    """The whole stack: the shared object store, a Prefect server and a worker. Stopped with the
    store.
    """
    return stack_module.up(store_info.settings, programs=PROGRAMS)


@pytest.fixture(scope="session")
def token(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One software token for all tests: the library reads its configuration once a process."""
    make_token(tmp_path_factory.mktemp("softhsm"))


@pytest.fixture
def token_settings(token: None, tmp_path: Path) -> Callable[..., Settings]:
    """Settings of a home whose master key is in the token, under a label of its own."""
    label = f"test-{next(_labels)}"

    def make(pin: str = PIN, **changes: object) -> Settings:
        settings = load_settings(
            home=tmp_path,
            keys={"source": "pkcs11", "pkcs11": {"token": TOKEN, "label": label, **changes}},
        )
        settings.pkcs11_pin_file.parent.mkdir(exist_ok=True)
        settings.pkcs11_pin_file.write_text(pin + "\n")
        settings.pkcs11_pin_file.chmod(0o600)
        return settings

    return make


@pytest.fixture
def env(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    """A site with the demo's cameras, on the object store alone."""
    monkeypatch.setenv(HOME_VARIABLE, str(settings.home))
    environment.cache_clear()
    found = environment()
    cameras = (DEMO / "cameras.geojson").read_bytes()
    found.store.put(object_key.SITE, object_key.CAMERAS, cameras)
    yield found
    environment.cache_clear()
