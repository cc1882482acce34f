"""One error root. Every error says what was expected, what came and what to do; every error
survives pickling.
"""

from __future__ import annotations


class EncounterError(Exception):
    """Root of all errors of this project.

    Subclasses take exactly one message, so that pickling (Dask sends errors between processes)
    keeps them whole.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def bare(self) -> EncounterError:
        """The same error without its context and traceback, as it leaves a worker."""
        out = type(self)(self.message)
        out.__dict__ |= self.__dict__
        return out

    def __str__(self) -> str:
        return self.message


class BadInput(EncounterError):
    """A file, option or record given by a user that cannot be used."""


class NotAuthorised(EncounterError):
    """No valid consent and approval cover what was asked. `audited` once the refusal is in the
    audit log.
    """

    audited: bool = False


class AuditBroken(EncounterError):
    """The audit log was changed, cut off or forged."""


class ContractViolation(EncounterError):
    """A table broke its contract. The message has counts and columns, never values."""


class StoreError(EncounterError):
    """The object store cannot be reached, refuses the credentials or lacks a bucket."""


class NotFound(StoreError):
    """The object asked for does not exist."""


class KeyMissing(EncounterError):
    """A key is missing or destroyed: what it sealed cannot be read any more."""


class ModelUnavailable(EncounterError):
    """A model file is missing, does not match its digest or needs a licence that was not
    accepted.
    """


class VideoUnreadable(EncounterError):
    """A segment cannot be decoded. A lasting fault of one input: becomes a gap."""


class FootageGone(EncounterError):
    """A segment that was listed is not in the store any more, as when the recorder deletes its
    oldest. A lasting fault of one input: becomes a gap.
    """


class StackError(EncounterError):
    """The local stack (object store, Prefect server, worker) cannot be started or stopped."""


class CaseStopped(EncounterError):
    """The case was withdrawn, expired or closed while it was being worked on."""
