"""The base of all records."""

from __future__ import annotations

import json
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from data_contracts.errors import BadInput


class Record(BaseModel):
    """Base of all records: frozen, unknown keys forbidden. Its errors quote no value: a log may
    keep them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def stored(cls, data: bytes, where: str) -> Self:
        """A record that was stored as JSON. Raises BadInput, which quotes nothing of it, where it
        is damaged.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            faults = error.error_count()
        newer = _version_of(data)
        known = cls.model_fields.get("version")
        if known is not None and isinstance(known.default, int) and newer > known.default:
            raise BadInput(
                f"{where}: a newer version of this program wrote this {cls.__name__} (its version "
                f"{newer}, {known.default} is known here): update this program"
            )
        raise BadInput(f"{where}: expected a {cls.__name__}, {faults} faults: it is damaged")


def _version_of(data: bytes) -> int:
    """The version that stored JSON says it has; 0 where it says none."""
    try:
        said = json.loads(data)["version"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return 0
    return said if type(said) is int else 0


def first_fault(error: ValidationError, whole: str = "") -> str:
    """The first thing that is wrong with a record, for a person: `field: what was expected`,
    without the value. `whole` stands for the field where the record is wrong as a whole.
    """
    item = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in item["loc"]) or whole
    return f"{where}: {in_words(item['msg'])}" if where else in_words(item["msg"])


def in_words(message: str) -> str:
    """A message of pydantic without the kind of Python's error before it."""
    for kind in ("Value error, ", "Assertion failed, "):
        message = message.removeprefix(kind)
    return message
