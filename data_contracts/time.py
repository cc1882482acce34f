"""Times are aware and UTC everywhere; local time only where a person reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple, cast

from pydantic import AfterValidator

from data_contracts.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

# The common clock: positions, footage that is followed and clips that are written have 5 instants a
# second (docs/accuracy.md has what tracking loses at fewer).
CLOCK_HZ = 5.0
CLOCK_S = 1 / CLOCK_HZ


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs an offset, such as 2026-11-16T09:00:00+09:00 or ...Z")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time must lie in the years 1 to 9999 in UTC") from None


Utc = Annotated[datetime, AfterValidator(_utc)]


class Interval(NamedTuple):
    """A half-open stretch of time [start_utc, end_utc)."""

    start_utc: datetime
    end_utc: datetime

    @property
    def seconds(self) -> float:
        """Length in seconds; never negative."""
        return max(0.0, (self.end_utc - self.start_utc).total_seconds())

    def intersect(self, other: Interval) -> Interval | None:
        """The common part, or None where there is none."""
        start = max(self.start_utc, other.start_utc)
        end = min(self.end_utc, other.end_utc)
        return Interval(start, end) if start < end else None


def merge(intervals: list[Interval], within_s: float = 0.0) -> list[Interval]:
    """Sorted union; stretches closer than `within_s` seconds are joined."""
    out: list[Interval] = []
    for item in sorted(i for i in intervals if i.start_utc < i.end_utc):
        if out and (item.start_utc - out[-1].end_utc).total_seconds() <= within_s:
            out[-1] = Interval(out[-1].start_utc, max(out[-1].end_utc, item.end_utc))
        else:
            out.append(item)
    return out


def subtract(whole: Interval, parts: list[Interval]) -> list[Interval]:
    """What of `whole` is not covered by `parts`, in time order."""
    out = []
    at = whole.start_utc
    for part in merge(parts):
        if part.end_utc <= at:
            continue
        if part.start_utc >= whole.end_utc:
            break
        if part.start_utc > at:
            out.append(Interval(at, part.start_utc))
        at = max(at, part.end_utc)
    if at < whole.end_utc:
        out.append(Interval(at, whole.end_utc))
    return out


def parse_utc(text: str, what: str = "time") -> datetime:
    """Read an ISO 8601 time with an offset. Raises BadInput when it has none or cannot be read."""
    try:
        return _utc(datetime.fromisoformat(text.strip()))
    except ValueError as error:
        raise BadInput(
            f"{what}: expected an ISO 8601 time with an offset, got {text[:60]!r}"
        ) from error


def utc_of(value: pd.Timestamp) -> datetime:
    """A table's time as a datetime."""
    return value.to_pydatetime().astimezone(UTC)


def intervals_of(rows: pd.DataFrame) -> list[Interval]:
    """The stretches `start_utc` to `end_utc` of a table's rows."""
    return [
        Interval(utc_of(a), utc_of(b))
        for a, b in zip(rows["start_utc"], rows["end_utc"], strict=True)
    ]


def seconds_of(times: pd.Series, origin: pd.Timestamp | None = None) -> NDArray[np.float64]:
    """(n,) seconds from `origin`, or from the earliest of `times`, to each of them."""
    start = times.min() if origin is None else origin
    return cast("NDArray[np.float64]", (times - start).dt.total_seconds().to_numpy(float))


def ticks_of(times: pd.Series) -> NDArray[np.int64]:
    """(n,) whole steps of the common clock since 1970: equal where two cameras' rows are of one
    moment.
    """
    return times.dt.as_unit("ns").astype("int64").to_numpy() // round(CLOCK_S * 1e9)


def now_utc() -> datetime:
    """The present, aware and UTC."""
    return datetime.now(UTC)
