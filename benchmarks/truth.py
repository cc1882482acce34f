"""Read a synthetic site's truth, and find its subjects with what they would hand in.

Layout as in demo/: `footage/`, `reference/`, `itinerary.csv`, `truth/people.csv` (everybody's floor
positions), `truth/boxes.csv` (who is in which picture) and `truth/encounters.csv`. Several subjects
are told apart by the `subject` column of `encounters.csv` and of `itinerary.csv`, and by subfolders
or prefixes in `reference/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from data_contracts import object_key
from data_contracts.case import Visit
from data_contracts.errors import BadInput
from tasks.search.itinerary import read_itinerary

# Share of the body's visible surface from which a person counts as to be seen: below it even people
# guess.
SEEABLE = 0.3
_PICTURES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Subject:
    """One subject: the name in the truth, visits and reference pictures by file name."""

    name: str
    itinerary: tuple[Visit, ...]
    references: dict[str, bytes]


@dataclass(frozen=True)
class Truth:
    """What really happened, and which footage is there to see it."""

    people: pd.DataFrame  # t_utc, person, x_m, y_m, masked
    boxes: pd.DataFrame  # camera, t_utc, person, visible, footage ("ok", "missing" or "damaged")
    footage: pd.DataFrame  # camera, start_utc, state

    @cached_property
    def step_s(self) -> float:
        """The truth's time step, seconds."""
        times = np.sort(self.people["t_utc"].unique())
        return float(np.median(np.diff(times)) / np.timedelta64(1, "s"))

    @cached_property
    def path(self) -> dict[str, pd.DataFrame]:
        """Positions of each person by time."""
        return {
            str(name): rows.set_index("t_utc").sort_index()
            for name, rows in self.people.groupby("person")
        }

    def times(self, person: str, state: str = "ok", visible: float = SEEABLE) -> set[pd.Timestamp]:
        """Times at which a person is to be seen on some camera whose footage has this state."""
        boxes = self.boxes
        chosen = (
            (boxes["person"] == person)
            & (boxes["visible"] >= visible)
            & (boxes["footage"] == state)
        )
        return set(boxes.loc[chosen, "t_utc"])


def read_truth(site: Path) -> Truth:
    """Read the truth of a site folder. Raises BadInput where a file or a column is missing."""
    people = _csv(site / "truth" / "people.csv", ("t_utc", "person", "x_m", "y_m", "masked"))
    boxes = _csv(site / "truth" / "boxes.csv", ("camera", "t_utc", "person", "visible"))
    footage, length_s = _footage(site / "footage")
    if not length_s:
        length_s = (boxes["t_utc"].max() - footage["start_utc"].min()).total_seconds() + 1
    return Truth(people, boxes.assign(footage=_states(boxes, footage, length_s)), footage)


def _csv(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype={"person": str, "subject": str, "camera": str})
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: the truth cannot be read ({error})") from error
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise BadInput(
            f"{path}: expected the columns {', '.join(columns)}; {', '.join(missing)} is missing"
        )
    for column in ("t_utc", "start_utc", "end_utc"):
        if column in table.columns:
            table[column] = pd.to_datetime(table[column], utc=True, format="ISO8601")
    return table


def _footage(folder: Path) -> tuple[pd.DataFrame, float]:
    """Segments with their state, holes included, and the usual length of a segment in seconds (0:
    only one a camera).
    """
    rows = []
    for path in sorted(folder.rglob("*.mp4")):
        name = object_key.read_segment(path.relative_to(folder).as_posix())
        if name is not None:
            rows.append((name.camera_id, name.start_utc, "ok" if _whole(path) else "damaged"))
    if not rows:
        raise BadInput(
            f"{folder}: expected segments <camera>/<YYYY-MM-DD>/<HH>/<MM.SS>.mp4, found none"
        )
    table = pd.DataFrame(rows, columns=["camera", "start_utc", "state"])
    table["start_utc"] = pd.to_datetime(table["start_utc"], utc=True, format="ISO8601")
    gaps = table.groupby("camera")["start_utc"].diff().dropna().dt.total_seconds()
    length_s = float(gaps.median()) if len(gaps) else 0.0
    holes = []
    if length_s:
        # Every camera is meant to record the whole time of the site: what lacks on its grid is
        # missing.
        first = table["start_utc"].min()
        last = table["start_utc"].max()
        grid = pd.date_range(first, last, freq=pd.Timedelta(seconds=length_s))
        for camera, rows_of in table.groupby("camera"):
            holes += [(camera, t, "missing") for t in grid if t not in set(rows_of["start_utc"])]
    frame = pd.concat(
        [table, pd.DataFrame(holes, columns=table.columns).astype(table.dtypes)], ignore_index=True
    )
    return frame.sort_values(["camera", "start_utc"]).reset_index(drop=True), length_s


def _whole(path: Path) -> bool:
    """Whether an MP4's top-level boxes are all there (ISO/IEC 14496-12, 4.2): a cut file ends
    inside a box.
    """
    size = path.stat().st_size
    at = 0
    kinds = set()
    with path.open("rb") as file:
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            length = int.from_bytes(head[:4], "big")
            length = int.from_bytes(head[8:16], "big") if length == 1 else length or size - at
            kinds.add(head[4:8])
            if length < 8 or at + length > size:
                return False
            at += length
    return at == size and b"moov" in kinds


def _states(boxes: pd.DataFrame, footage: pd.DataFrame, length_s: float) -> pd.Series:
    """The state of the segment that each box's picture belongs to; missing where there is none."""
    starts = footage.sort_values("start_utc")[["camera", "start_utc", "state"]]
    order = boxes.reset_index()[["index", "camera", "t_utc"]].sort_values("t_utc")
    starts = starts.assign(start_utc=starts["start_utc"].astype(order["t_utc"].dtype))
    joined = pd.merge_asof(order, starts, left_on="t_utc", right_on="start_utc", by="camera")
    late = (joined["t_utc"] - joined["start_utc"]).dt.total_seconds() >= length_s
    state = joined["state"].where(~late).fillna("missing")
    return state.set_axis(joined["index"]).reindex(boxes.index)


def discover_subjects(site: Path) -> list[Subject]:
    """The subjects of a site, by name, with their visits and reference pictures.

    Names come from the `subject` columns of `truth/encounters.csv` and `itinerary.csv`, and from
    `truth/cast.csv`, where the role begins with "subject" (a subject who met no one has no
    encounter). Pictures lie in `reference/<name>/` or are called `<name>_...` or `<name>-...`; with
    a single subject all pictures are theirs. Raises BadInput where a subject has no picture or no
    visit.
    """
    text = (site / "itinerary.csv").read_text(encoding="utf-8-sig")
    names = set(
        _csv(site / "truth" / "encounters.csv", ("subject", "person"))["subject"]
    ) | _cast_subjects(site)
    header = [cell.strip() for cell in text.splitlines()[0].split(",")]
    column = next((name for name in ("subject", "person") if name in header), None)
    if column:
        table = pd.read_csv(site / "itinerary.csv", dtype=str, skipinitialspace=True)
        names |= set(table[column].dropna().str.strip())
    if not names:
        raise BadInput(
            f"{site}: expected a subject in truth/encounters.csv or itinerary.csv, found none"
        )
    return [
        Subject(
            name,
            read_itinerary(text, subject=name if column else None),
            _references(site, name, len(names) == 1),
        )
        for name in sorted(names)
    ]


def _cast_subjects(site: Path) -> set[str]:
    path = site / "truth" / "cast.csv"
    if not path.exists():
        return set()
    cast = _csv(path, ("person", "role"))
    return set(cast.loc[cast["role"].astype(str).str.startswith("subject"), "person"].astype(str))


def _references(site: Path, name: str, only_one: bool) -> dict[str, bytes]:
    pictures = [p for p in sorted((site / "reference").rglob("*")) if p.suffix.lower() in _PICTURES]
    own = [
        p for p in pictures if p.parent.name == name or p.stem.startswith((f"{name}_", f"{name}-"))
    ]
    chosen = own or (pictures if only_one else [])
    if not chosen:
        raise BadInput(
            f"{site / 'reference'}: expected pictures of {name} in {name}/ or called {name}_*, "
            "found none"
        )
    return {p.name: p.read_bytes() for p in chosen}
