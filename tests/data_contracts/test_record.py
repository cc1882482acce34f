"""Errors of records: for a person in plain words, for a log without the value."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from data_contracts.case import CaseRequest, Visit
from data_contracts.errors import BadInput
from data_contracts.record import first_fault
from infra.settings import Settings, load_settings

NAME = "Mrs Kim of the bakery"


def fault(**given: object) -> ValidationError:
    """What pydantic says of a request."""
    with pytest.raises(ValidationError) as error:
        CaseRequest.model_validate(given)
    return error.value


def test_no_value_is_quoted() -> None:
    """Neither in an error that nobody caught and that a log keeps, nor in the line for a person."""
    error = fault(case_id=NAME, subject={"name": NAME}, policy=NAME, itinerary=NAME)
    assert NAME not in str(error)
    assert NAME not in first_fault(error)
    with pytest.raises(ValidationError) as unread:
        Settings(case_concurrency=NAME)
    assert NAME not in str(unread.value)


def test_words_for_a_person() -> None:
    """The field, then what was expected; nothing of Python's kinds of errors."""
    times = {"from_utc": "2026-11-16T10:00:00Z", "to_utc": "2026-11-16T09:00:00Z"}
    with pytest.raises(ValidationError) as error:
        Visit.model_validate({"place": "x", **times})
    assert first_fault(error.value, "visit") == "visit: a visit must end after it starts"
    with pytest.raises(ValidationError) as other:
        Visit.model_validate({"place": "x", **times, "from_utc": "2026-11-16T10:00:00"})
    assert first_fault(other.value).startswith("from_utc: a time needs an offset, such as")


def test_settings_say_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting's own check is told without "Value error,", and an address without its password."""
    monkeypatch.setenv("ENCOUNTER_S3__ENDPOINT", "http://store:9000")
    with pytest.raises(BadInput) as error:
        load_settings()
    assert "Value error" not in str(error.value)
    assert "give host:port without http://" in str(error.value)
    monkeypatch.setenv("ENCOUNTER_S3__ENDPOINT", "https://user:secret-word@store")
    with pytest.raises(BadInput) as told:
        load_settings()
    assert "secret-word" not in str(told.value)
