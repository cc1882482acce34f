"""The base of all records."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from data_contracts.errors import BadInput


class Record(BaseModel):
    """Base of all records: frozen, unknown keys forbidden."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def stored(cls, data: bytes, where: str) -> Self:
        """A record that was stored as JSON. Raises BadInput, which quotes nothing of it, where it
        is damaged.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise BadInput(
                f"{where}: expected a {cls.__name__}, {error.error_count()} faults: it is damaged, "
                "or another version wrote it"
            ) from None
