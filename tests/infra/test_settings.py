"""Settings: sources, refusals, what is recorded, and that all are documented."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from data_contracts.errors import BadInput
from infra.home import Home
from infra.settings import load_settings, setting_names, variable_of
from infra.stack_record import StackRecord, write_record

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


def test_sources_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument beats the environment, which beats the file, which beats the stack's record,
    which beats defaults.
    """
    write_record(
        Home(tmp_path),
        StackRecord(s3_endpoint="h:1", s3_credentials={"access_key": "a", "secret_key": "s"}),
    )
    (tmp_path / "settings.toml").write_text(
        'case_concurrency = 3\n[s3]\nregion = "file"\nread_timeout_s = 5\n'
    )
    monkeypatch.setenv("ENCOUNTER_S3__REGION", "env")
    found = load_settings(home=tmp_path, case_concurrency=4)
    assert (found.case_concurrency, found.s3.region, found.s3.read_timeout_s) == (4, "env", 5)
    assert (found.s3.endpoint, found.s3.access_key, found.s3.retries) == ("h:1", "a", 2)


def test_home_from_environment_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ENCOUNTER_HOME decides which settings.toml is read, and the home is made absolute."""
    (tmp_path / "settings.toml").write_text("case_concurrency = 7")
    monkeypatch.chdir(tmp_path.parent)
    monkeypatch.setenv("ENCOUNTER_HOME", tmp_path.name)
    assert load_settings().case_concurrency == 7
    assert load_settings().home == tmp_path


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("ENCOUNTER_S3__ENDPONT", "h:1", "did you mean ENCOUNTER_S3__ENDPOINT"),
        ("ENCOUNTER_CASE_CONCURENCY", "1", "did you mean ENCOUNTER_CASE_CONCURRENCY"),
        ("ENCOUNTER_CASE_CONCURRENCY", "many", "got 'many'"),
        ("ENCOUNTER_RETENTION__CASE_DAYS", "3650", "less than or equal to 90"),
        ("ENCOUNTER_S3__ENDPOINT", "http://h:1", "without http://"),
        ("ENCOUNTER_S3", "nonsense", "ENCOUNTER_S3__ENDPOINT=host:port"),
        ("ENCOUNTER_CONFIG", "/nowhere/x.toml", "is not a file"),
    ],
)
def test_bad_settings_are_one_line(
    variable: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong or misspelt setting is refused with one line that names it."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadInput) as error:
        load_settings()
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_bad_file(tmp_path: Path) -> None:
    """Unknown keys and broken TOML in the file are refused."""
    (tmp_path / "settings.toml").write_text("[retention]\ncase_dayz = 1")
    with pytest.raises(
        BadInput, match=r"case_dayz is not a setting: did you mean retention\.case_days"
    ):
        load_settings(home=tmp_path)
    (tmp_path / "settings.toml").write_text("[retention")
    with pytest.raises(BadInput, match="expected TOML"):
        load_settings(home=tmp_path)


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the recorded settings, nor their repr, nor an error's message shows a secret."""
    found = load_settings(s3={"endpoint": "h:1", "access_key": "AKID", "secret_key": "hush"})
    assert "hush" not in repr(found) + str(found.public())
    assert "AKID" not in str(found.public())
    with pytest.raises(BadInput) as error:
        load_settings(s3={"secret_key": ["hush"]})
    assert "hush" not in str(error.value)


def test_frozen_and_picklable() -> None:
    """Settings cannot be changed after reading and travel to worker processes whole."""
    found = load_settings(s3={"endpoint": "h:1", "secret_key": "hush"})
    with pytest.raises(ValueError, match="frozen"):
        found.case_concurrency = 1
    assert pickle.loads(pickle.dumps(found)) == found


def test_every_setting_is_documented() -> None:
    """docs/settings.md has a row with name and variable for every setting, and none for what is no
    setting.
    """
    rows = dict(
        re.findall(
            r"^\| `([a-z0-9_.]+)` \| `(ENCOUNTER_[A-Z0-9_]+)` \|", DOCS.read_text(), re.MULTILINE
        )
    )
    assert rows == {name: variable_of(name) for name in setting_names()}
