"""Every contract accepts what it should, refuses what it should, and its refusals quote no
value.
"""

import logging
import os
import pickle
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from data_contracts.errors import ContractViolation
from data_contracts.tables import contracts
from data_contracts.tables.table import Expectation, TableContract
from data_contracts.tables.validate import validate, validated

T0 = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
NAME = "Wilhelmina Madeup"
EACH = [
    pytest.param(c, e, id=f"{c.name}-{i}")
    for c in contracts.ALL
    for i, e in enumerate(c.expectations)
]


def good(contract: TableContract, n: int = 2) -> pd.DataFrame:
    """Rows that keep the contract, made from its columns and expectations."""
    sets = {
        e.kwargs["column"]: e.kwargs["value_set"][0]
        for e in contract.expectations
        if "value_set" in e.kwargs
    }
    regex = {"sighting_id": "S-{:02d}", "contact_id": "C-{:02d}", "sha256": "{:064x}"}
    rows = []
    for i in range(n):
        row = {}
        for c in contract.columns:
            later = timedelta(seconds=i + (5 if c.name.startswith("end") else 0))
            plain = {
                "text": f"t{i}",
                "float": 0.5,
                "int": i + 1,
                "bool": True,
                "time": T0 + later,
                "list": [],
            }[c.kind]
            row[c.name] = (
                regex[c.name].format(i + 1) if c.name in regex else sets.get(c.name, plain)
            )
        rows.append(row)
    return contract.shape(rows)


def broken(frame: pd.DataFrame, expectation: Expectation) -> pd.DataFrame:
    """The frame with its second row against one expectation."""
    frame = frame.copy()
    kwargs = expectation.kwargs
    match expectation.type:
        case "ExpectColumnValuesToBeBetween":
            low = kwargs["min_value"]
            frame[kwargs["column"]] = frame[kwargs["column"]].astype(float)
            frame.loc[1, kwargs["column"]] = low - 7 if low is not None else kwargs["max_value"] + 7
            if frame[kwargs["column"]].dtype != "float64" or kwargs["column"] in (
                "round",
                "size_bytes",
                "n_frames",
            ):
                frame[kwargs["column"]] = frame[kwargs["column"]].astype("int64")
        case "ExpectColumnValuesToBeInSet" | "ExpectColumnValuesToMatchRegex":
            frame.loc[1, kwargs["column"]] = NAME
        case "ExpectColumnPairValuesAToBeGreaterThanB":
            frame.loc[1, kwargs["column_A"]] = frame.loc[1, kwargs["column_B"]] - timedelta(
                seconds=1
            )
        case "ExpectColumnValuesToBeUnique" | "ExpectCompoundColumnsToBeUnique":
            for name in kwargs.get("column_list", [kwargs.get("column")]):
                frame.loc[1, name] = frame.loc[0, name]
    return frame


@pytest.mark.parametrize("contract", contracts.ALL, ids=lambda c: c.name)
def test_good_and_empty_tables_pass(contract: TableContract) -> None:
    """A table of no rows and one that keeps the contract are accepted."""
    validate(contract.empty(), contract)
    validate(good(contract), contract)


@pytest.mark.parametrize(("contract", "expectation"), EACH)
def test_each_expectation_refuses_in_words(
    contract: TableContract, expectation: Expectation
) -> None:
    """Each expectation of each contract refuses a table that breaks it, naming table, columns and
    counts, no value.
    """
    with pytest.raises(ContractViolation) as caught:
        validate(broken(good(contract), expectation), contract)
    text = str(caught.value)
    assert f"{contract.name}@{contract.version}" in text
    assert expectation.type in text
    columns = [v for k, v in expectation.kwargs.items() if k in ("column", "column_A", "column_B")]
    assert all(c in text for c in columns + expectation.kwargs.get("column_list", []))
    assert "of 2 rows" in text
    assert NAME not in text


def test_no_value_leaks(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A name in an offending cell appears in no message, chained error, log record or output."""
    caplog.set_level(logging.DEBUG)
    frames = [good(contracts.CONTACTS) for _ in range(3)]
    frames[0].loc[1, "band"] = NAME
    frames[1].loc[1, "contact_id"] = NAME
    frames[2]["min_m"] = pd.Series([0.5, NAME], dtype=object)
    for frame in frames:
        for check in (validate, validated):
            with pytest.raises(ContractViolation) as caught:
                check(frame, contracts.CONTACTS)
            error = caught.value
            assert NAME not in str(error) + repr(error.__cause__)
            assert error.__suppress_context__ or error.__context__ is None
            assert str(pickle.loads(pickle.dumps(error))) == str(error)
    out, err = capfd.readouterr()
    assert NAME not in caplog.text + out + err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.drop(columns="camera_id"), "columns missing: camera_id"),
        (lambda f: f.assign(**{NAME: 1}), "1 columns that the contract does not have"),
        (lambda f: f.assign(x0="1"), "column x0: expected float, got dtype"),
        (
            lambda f: f.assign(t_utc=f.t_utc.dt.tz_localize(None)),
            "column t_utc: expected time (aware, UTC)",
        ),
        (
            lambda f: f.assign(x0=f.x0.where(f.index > 0)),
            "ExpectColumnValuesToNotBeNull on x0 failed in 1 of 2 rows",
        ),
        (lambda f: f.set_axis([*f.columns[:-1], "x0"], axis=1), "column names repeat"),
    ],
)
def test_shape_faults_are_named(change, words: str) -> None:
    """Missing, unknown and repeated columns, wrong dtypes, naive times and nulls are each named."""
    with pytest.raises(ContractViolation) as caught:
        validate(change(good(contracts.TRACKS)), contracts.TRACKS)
    assert words in str(caught.value)
    assert NAME not in str(caught.value)


def test_times_with_and_without_fractions_are_one_column() -> None:
    """Times that came as text (a unit's report is JSON) are read one by one: a segment may end on a
    whole second, or not.
    """
    rows = [
        {
            "key": str(n),
            "camera_id": "a",
            "start_utc": "2026-11-16T09:00:00+00:00",
            "end_utc": end,
            "n_frames": 1,
            "fault": "",
        }
        for n, end in enumerate(
            (
                "2026-11-16T09:00:10+00:00",
                "2026-11-16T09:00:10.600000+00:00",
                "2026-11-16T18:00:11+09:00",
            )
        )
    ]
    ends = contracts.SEGMENT_REPORTS.shape(rows)["end_utc"]
    assert [f"{t:%H:%M:%S.%f}" for t in ends] == [
        "09:00:10.000000",
        "09:00:10.600000",
        "09:00:11.000000",
    ]


def test_validated_shapes_first() -> None:
    """`validated` orders and casts columns, and names a missing one."""
    frame = good(contracts.GAPS).iloc[:, ::-1]
    assert list(validated(frame, contracts.GAPS).columns) == contracts.GAPS.names
    with pytest.raises(ContractViolation, match="lacks the columns kind"):
        validated(frame.drop(columns="kind"), contracts.GAPS)


def test_threads_share_one_context() -> None:
    """Several threads validate at once without mixing up results."""
    bad = broken(good(contracts.GAPS), contracts.GAPS.expectations[0])

    def one(i: int) -> bool:
        try:
            validate(bad if i % 2 else good(contracts.GAPS), contracts.GAPS)
        except ContractViolation:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(8))) == [True, False] * 4


def test_is_quick() -> None:
    """A warm validation of 10,000 rows takes well under two seconds of a processor."""
    frame = good(contracts.DETECTIONS, 10_000)
    validate(frame, contracts.DETECTIONS)
    started = time.process_time()
    validate(frame, contracts.DETECTIONS)
    assert time.process_time() - started < 2.0


def test_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making the context and validating opens no connection, and analytics are switched off."""
    opened = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: opened.append(address))
    monkeypatch.setattr("data_contracts.tables.validate._suites", None)
    validate(good(contracts.GAPS), contracts.GAPS)
    assert opened == []
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
