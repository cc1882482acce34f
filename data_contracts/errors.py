"""One error root. Every error says what was expected, what came and what to do; every error
survives pickling.

What an error does to a run is a property of its class, `effect`:

- `gap`: a lasting fault of one input. The rest goes on, and the result has a row in its gaps.
- `retry`: a fault that may pass. It is tried again; what does not pass ends the run.
- `stop`: a fault of the system or of the authorisation. The run ends at once.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Effect = Literal["gap", "retry", "stop"]


class EncounterError(Exception):
    """Root of all errors of this project.

    Subclasses take exactly one message, so that pickling (Dask sends errors between processes)
    keeps them whole.
    """

    effect: ClassVar[Effect] = "gap"

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

    effect: ClassVar[Effect] = "stop"
    audited: bool = False


class AuditBroken(EncounterError):
    """The audit log was changed, cut off or forged."""

    effect: ClassVar[Effect] = "stop"


class ContractViolation(EncounterError):
    """A table broke its contract. The message has counts and columns, never values."""


class StoreError(EncounterError):
    """The object store cannot be reached, refuses the credentials or lacks a bucket."""

    effect: ClassVar[Effect] = "retry"


class NotFound(StoreError):
    """The object asked for does not exist."""

    effect: ClassVar[Effect] = "stop"


class ObjectChanged(StoreError):
    """Another object lies under the key than the one asked for by its ETag."""

    effect: ClassVar[Effect] = "stop"


class KeyMissing(EncounterError):
    """A key is missing or destroyed: what it sealed cannot be read any more."""

    effect: ClassVar[Effect] = "stop"


class ModelUnavailable(EncounterError):
    """A model file is missing, does not match its digest or needs a licence that was not
    accepted.
    """

    effect: ClassVar[Effect] = "stop"


class VideoUnreadable(EncounterError):
    """A segment cannot be decoded. A lasting fault of one input: becomes a gap."""


class FootageGone(EncounterError):
    """A segment that was listed is not in the store any more, as when the recorder deletes its
    oldest. A lasting fault of one input: becomes a gap.
    """


class FootageChanged(EncounterError):
    """A segment was replaced by another after it was listed. A lasting fault of one input: becomes
    a gap, and the next run looks at the new one.
    """


class StackError(EncounterError):
    """The local stack (object store, Prefect server, worker) cannot be started or stopped."""

    effect: ClassVar[Effect] = "retry"


class WorkerLost(StackError):
    """One piece of work ended its worker again and again, or gave what cannot travel."""

    effect: ClassVar[Effect] = "gap"


class CaseStopped(EncounterError):
    """The case was withdrawn, expired or closed while it was being worked on."""

    effect: ClassVar[Effect] = "stop"


def may_pass(error: BaseException) -> bool:
    """Whether trying again can help: faults that may pass, and errors that are not this
    project's.
    """
    if isinstance(error, EncounterError):
        return error.effect == "retry"
    return isinstance(error, Exception)
