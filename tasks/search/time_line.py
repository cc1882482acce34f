"""The files of a camera laid on one time line: each instant is taken from one file.

Recorders write files that overlap: pre-recording, an event's file beside the continuous one, hours
of 61 minutes. Two pictures of one moment would show everybody twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import pandas as pd

from data_contracts.tables.contracts import SEGMENT_REPORTS
from data_contracts.time import Interval, intervals_of, merge, subtract, utc_of

# Files follow one another end to end where no more than this lies between: their names have whole
# seconds.
_END_TO_END_S = 1.5
# Stamps contradict names where a file lasts longer than the time to the next one by more than this
# share, and by more than the rounding of names.
_LONGER = 1.05
# Chains of more than this share of the longest are of about one length.
_ABOUT_ONE = 0.7
# What was looked at, though nobody can be followed in the second.
_SEEN = ("", "few_pictures")


class TimeLine(NamedTuple):
    """`reports`: the fresh ones, what they saw cut to what is taken from each file; `dropped`: by
    key, the times that are taken from another file.
    """

    reports: pd.DataFrame
    dropped: dict[str, list[Interval]]


class _File(NamedTuple):
    key: str
    start_utc: datetime
    end_utc: datetime
    seen: list[Interval]


def one_source(taken: pd.DataFrame, fresh: pd.DataFrame) -> TimeLine:
    """Lay fresh files beside those that were taken before (both contract SEGMENT_REPORTS).

    What was taken stays taken. Of fresh files those in the longest chains of files end to end come
    first: the continuous recording, before an event's file beside it. Of chains of about one length
    it is the file that begins last: a file's name is right at its start, and stamps drift from
    there. Of files from which something is taken, those that last longer than the time to the next
    are told, as rows of `doubtful_time`.
    """
    dropped: dict[str, list[Interval]] = {}
    doubts: list[dict[str, object]] = []
    for camera_id, rows in fresh.groupby("camera_id"):
        own = taken[taken["camera_id"] == camera_id]
        files = _files(rows)
        used = []
        busy = intervals_of(own[own["kind"].isin(_SEEN)])
        for file in _by_chain(files):
            free = [part for span in file.seen for part in subtract(span, busy)]
            lost = [part for span in file.seen for part in subtract(span, free)]
            if lost:
                dropped[file.key] = lost
            busy = merge([*busy, *free])
            used += [file] if free else []
        doubts += _contradictions(str(camera_id), [*_files(own), *used], rows)
    cut = _cut(fresh, dropped)
    return TimeLine(SEGMENT_REPORTS.shape([*cut, *doubts]), dropped)


def taken_from(
    found: pd.DataFrame, key: str, dropped: Mapping[str, list[Interval]]
) -> pd.DataFrame:
    """Of what was found in a file (`t_utc`), what is taken from it."""
    keep = pd.Series(True, index=found.index)
    for span in dropped.get(key, ()):
        keep &= ~((found["t_utc"] >= span.start_utc) & (found["t_utc"] < span.end_utc))
    return found[keep]


def starts_of_files(rows: pd.DataFrame) -> pd.Series:
    """Of rows of SEGMENT_REPORTS when their files begin."""
    return rows["file_start_utc"].fillna(rows["start_utc"])


def _files(rows: pd.DataFrame) -> list[_File]:
    """The files of one camera in order of start, as long as what was seen of them or, where only
    parts of one were looked at, as its header says.
    """
    out = []
    for key, own in rows.groupby("key"):
        seen = merge(intervals_of(own[own["kind"].isin(_SEEN)]))
        if not seen:
            continue
        start = utc_of(starts_of_files(own).min())
        ends = own["file_end_utc"].dropna()
        end = max([seen[-1].end_utc, *(utc_of(t) for t in ends)])
        out.append(_File(str(key), start, end, seen))
    return sorted(out, key=lambda file: (file.start_utc, file.key))


def _by_chain(files: list[_File]) -> list[_File]:
    """Files in the order in which they are taken: see `one_source`."""
    length: dict[str, float] = {}
    chains: list[list[_File]] = []
    for file in files:
        for chain in chains:
            apart_s = (file.start_utc - chain[-1].end_utc).total_seconds()
            if abs(apart_s) <= _END_TO_END_S:
                chain.append(file)
                break
        else:
            chains.append([file])
    for chain in chains:
        whole = (chain[-1].end_utc - chain[0].start_utc).total_seconds()
        length |= {file.key: whole for file in chain}
    longest = max(length.values(), default=0.0)
    latest = sorted(files, key=lambda file: (file.start_utc, file.key), reverse=True)
    return sorted(latest, key=lambda file: -min(length[file.key], longest * _ABOUT_ONE))


def _cut(fresh: pd.DataFrame, dropped: Mapping[str, list[Interval]]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for row in fresh.to_dict("records"):
        span = Interval(utc_of(row["start_utc"]), utc_of(row["end_utc"]))
        parts = [span]
        if row["kind"] in _SEEN and span.seconds and row["key"] in dropped:
            parts = subtract(span, dropped[row["key"]])
        same = {str(name): value for name, value in row.items()}
        for part in parts:
            share = part.seconds / span.seconds if span.seconds else 1.0
            part_of = {"start_utc": part.start_utc, "end_utc": part.end_utc}
            rows.append({**same, **part_of, "n_frames": round(row["n_frames"] * share)})
        if not parts:  # the file was looked at, though nothing is taken from it
            rows.append({**same, "end_utc": span.start_utc, "n_frames": 0, "kind": ""})
    return rows


def _contradictions(
    camera_id: str, files: list[_File], fresh: pd.DataFrame
) -> list[dict[str, object]]:
    """Files whose pictures last longer than the time to the next file that does not lie within
    them, where one of the two is fresh.
    """
    keys = set(fresh["key"])
    ordered = sorted(files, key=lambda file: (file.start_utc, file.key))
    rows: list[dict[str, object]] = []
    for i, file in enumerate(ordered):
        after = next((f for f in ordered[i + 1 :] if f.end_utc > file.end_utc), None)
        if after is None or after.start_utc <= file.start_utc or not {file.key, after.key} & keys:
            continue
        lasts_s = (file.end_utc - file.start_utc).total_seconds()
        apart_s = (after.start_utc - file.start_utc).total_seconds()
        if lasts_s <= apart_s * _LONGER or lasts_s - apart_s <= _END_TO_END_S:
            continue
        fault = (
            f"by their stamps the pictures of the file of {file.start_utc:%H:%M:%S} UTC last "
            f"{lasts_s:.1f} s, but the next file begins {apart_s:.1f} s after it "
            f"({lasts_s / apart_s:.2f} times): the files overlap, or the stamps run at another "
            "speed than the clock; each moment is taken from one file"
        )
        rows.append(
            {
                "key": file.key,
                "etag": "",
                "camera_id": camera_id,
                "start_utc": after.start_utc,
                "end_utc": file.end_utc,
                "n_frames": 0,
                "kind": "doubtful_time",
                "fault": fault,
                "advice": "",
            }
        )
    return rows
