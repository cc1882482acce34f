"""Who goes on as whom where people met: the pieces of tracks before a moment matched with those
after it, by place, speed, body height, and what is known of the subject.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from data_contracts.time import CLOCK_S
from tasks.ground.kalman import path_likelihoods
from tasks.ground.position import BODY_HEIGHT_SD_M
from tasks.people.meeting import CameraRows, ExchangeSettings, Meeting
from tasks.people.track_position import spread_of

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
_MUST = 1e6
_NEVER = -1e6
# So many looks tell a height, and those of so many seconds are of one pose. Chosen, as elsewhere.
_LEAST_HEIGHTS = 3
_POSE_S = 2.0


@dataclass(frozen=True)
class Matching:
    """Who goes on as whom at a tick: by who is seen after it, who they were before; None: somebody
    else. `ratio`: how much likelier that is than that everybody goes on as they are.
    """

    tick: int
    before: dict[int, int | None]
    ratio: float


@dataclass(frozen=True)
class _Moment:
    """A tick of a meeting, with who was seen shortly before it and shortly after."""

    tick: int
    before: list[int]
    after: list[int]

    @property
    def both(self) -> list[int]:
        """Who was seen on both sides."""
        return [p for p in self.before if p in self.after]


def likeliest(rows: CameraRows, meeting: Meeting, settings: ExchangeSettings) -> Matching | None:
    """The likeliest matching of all moments of a meeting; None where nobody is seen on both sides
    of any.
    """
    lost = round(settings.lost_s / CLOCK_S)
    people = _near(rows, meeting, lost, settings)
    ticks = range(meeting.begin - 1, meeting.end + lost // 2 + 1)
    moments = [_moment(rows, people, tick, lost) for tick in ticks]
    told = [m for m in moments if m.both and len(m.before) + len(m.after) > 2]
    if not told:
        return None
    gains = _gains(rows, told, settings)
    found = [_matching(rows, m, g, settings) for m, g in zip(told, gains, strict=True)]
    return max((f for f in found if f is not None), key=lambda f: f.ratio, default=None)


def _moment(rows: CameraRows, people: list[int], tick: int, lost: int) -> _Moment:
    before = rows.between(tick - lost, tick)
    after = rows.between(tick, tick + lost)
    sooner, later = ({*rows.person[r[rows.seen[r]]].tolist()} for r in (before, after))
    return _Moment(tick, [p for p in people if p in sooner], [p for p in people if p in later])


def _near(rows: CameraRows, meeting: Meeting, lost: int, settings: ExchangeSettings) -> list[int]:
    """The two who meet, and who else is close by then, the nearest first."""
    two = [int(rows.person[r]) for r in meeting.rows]
    at = rows.between(meeting.begin - lost, meeting.end + lost + 1)
    at = at[np.isfinite(rows.xy[at]).all(1)]
    place = np.nanmedian(rows.xy[at[np.isin(rows.person[at], two)]], axis=0)
    away = np.hypot(*(rows.xy[at] - place).T)
    nearest = {
        int(p): float(away[rows.person[at] == p].min())
        for p in np.unique(rows.person[at])
        if p not in two
    }
    others = sorted((m, p) for p, m in nearest.items() if m <= settings.far_m)
    return [*dict.fromkeys(two), *(p for _, p in others[: settings.most_people - 2])]


def _matching(
    rows: CameraRows, moment: _Moment, gain: Array, settings: ExchangeSettings
) -> Matching | None:
    tick, before, after, both = moment.tick, moment.before, moment.after, moment.both
    gain[:, [p in both for p in after]] += settings.stranger
    keep = np.full_like(gain, _NEVER)
    for person in both:
        keep[before.index(person), after.index(person)] = _MUST
    free = np.ix_([p not in both for p in before], [p not in both for p in after])
    keep[free] = gain[free]
    said = _said(rows, before, after, tick, settings)
    kept = _best(keep, said)
    best = _best(gain, said)
    matched = {after[j]: before[i] for i, j in best.pairs}
    names = {
        p: matched.get(p)
        for p in after
        if matched.get(p) != p and (p in both or matched.get(p) in both)
    }
    held = kept.value + sum(gain[before.index(p), after.index(p)] - _MUST for p in both)
    return Matching(tick, names, best.value - held) if names else None


class _Said(NamedTuple):
    """What is said of the subject, as log likelihood ratios: of each before (b,) and after (a,)."""

    before: Array
    after: Array
    prior: float


class _Best(NamedTuple):
    pairs: list[tuple[int, int]]
    value: float


def _said(
    rows: CameraRows, before: list[int], after: list[int], tick: int, settings: ExchangeSettings
) -> _Said:
    lost = round(settings.lost_s / CLOCK_S)
    ends = [rows.told[rows.of(p, tick - lost, tick)[-1], 0] for p in before]
    begins = [rows.told[rows.of(p, tick, tick + lost)[0], 1] for p in after]
    return _Said(np.array(ends), np.array(begins), float(np.log(settings.subject_share)))


def _best(gain: Array, said: _Said) -> _Best:
    """The matching of the largest sum, where one of those before and one of those after may be the
    subject: the same one.
    """
    pairs = _assigned(gain)
    options = [_Best(pairs, _sum(gain, pairs))]
    if not (said.before.any() or said.after.any()):
        return options[0]
    for i in [None, *range(len(said.before))]:
        for j in [None, *range(len(said.after))]:
            if (i, j) != (None, None):
                options.append(_with_subject(gain, said, i, j))
    return max(options, key=lambda b: b.value)


def _with_subject(gain: Array, said: _Said, i: int | None, j: int | None) -> _Best:
    """The best matching where the subject is `i` before and `j` after; None: not seen then."""
    rest = gain.copy()
    value = said.prior
    if i is not None:
        rest[i] = _NEVER
        value += said.before[i]
    if j is not None:
        rest[:, j] = _NEVER
        value += said.after[j]
    own = [] if i is None or j is None else [(i, j)]
    pairs = [*_assigned(rest), *own]
    return _Best(pairs, value + _sum(gain, pairs))


def _sum(gain: Array, pairs: list[tuple[int, int]]) -> float:
    return float(sum(gain[i, j] for i, j in pairs))


def _assigned(gain: Array) -> list[tuple[int, int]]:
    """Pairs (row, column) of the matching of the largest sum; the rest counts nothing."""
    i, j = linear_sum_assignment(-np.maximum(gain, 0.0))
    return [(int(a), int(b)) for a, b in zip(i, j, strict=True) if gain[a, b] > 0]


def _gains(rows: CameraRows, moments: list[_Moment], settings: ExchangeSettings) -> list[Array]:
    """(b, a) log likelihood ratios of one person : two, of each before with each after, for each
    moment.
    """
    window = round(settings.window_s / CLOCK_S)
    ends = [_sequences(rows, m.before, m.tick - window, m.tick) for m in moments]
    begins = [_sequences(rows, m.after, m.tick, m.tick + window) for m in moments]
    pairs = [np.indices((len(m.before), len(m.after))).reshape(2, -1) for m in moments]
    joined = [
        (np.concatenate([e[0][i], b[0][j]], 1), np.concatenate([e[1][i], b[1][j]], 1))
        for e, b, (i, j) in zip(ends, begins, pairs, strict=True)
    ]
    one, other, together = (_likelihoods(s, settings) for s in (ends, begins, joined))
    out = []
    for k, moment in enumerate(moments):
        alone = one[k][:, None] + other[k][None, :]
        moved = together[k].reshape(alone.shape) - alone - np.log(settings.density_per_m2)
        said = moved + _heights(rows, moment, settings) + 2 * settings.vanish
        may = np.equal.outer(moment.before, moment.after)
        may |= _reachable(ends[k][0], begins[k][0], settings)
        out.append(np.where(may, said, _NEVER))
    return out


def _likelihoods(sequences: list[tuple[Array, Array]], settings: ExchangeSettings) -> list[Array]:
    """Log likelihoods of each moment's sequences."""
    xy, cov = (np.concatenate(part) for part in zip(*sequences, strict=True))
    all_of_them = path_likelihoods(xy, cov, CLOCK_S, settings.most_sds)
    return np.split(all_of_them, np.cumsum([len(s[0]) for s in sequences])[:-1])


def _reachable(ends: Array, begins: Array, settings: ExchangeSettings) -> NDArray[np.bool_]:
    """(b, a) whether somebody can have walked from where the one was last (b, t, 2) to where the
    other was first (a, t, 2), by a metre more or less; who has no place can.
    """
    # The last place of each, and how many ticks before the moment; the first one, and after.
    last_m, last = _first_place(ends[:, ::-1])
    first_m, first = _first_place(begins)
    away = np.hypot(*(first_m[None, :] - last_m[:, None]).transpose(2, 0, 1))
    gap_s = (last[:, None] + 1 + first[None, :]) * CLOCK_S
    return np.asarray(~(away > settings.near_m + settings.max_speed_mps * gap_s))


def _first_place(xy: Array) -> tuple[Array, Ints]:
    """The first position (p, 2) of each sequence (p, t, 2), NaN where there is none, and its
    tick.
    """
    at = np.isfinite(xy).all(2).argmax(1)
    return xy[np.arange(len(xy)), at], at


def _sequences(rows: CameraRows, people: list[int], begin: int, end: int) -> tuple[Array, Array]:
    """Positions (p, t, 2) of people, tick by tick, with covariances (p, t, 2, 2)."""
    xy = np.full((len(people), end - begin, 2), np.nan)
    cov = np.full((len(people), end - begin, 2, 2), np.nan)
    for k, person in enumerate(people):
        own = rows.of(person, begin, end)
        own = own[np.isfinite(rows.xy[own]).all(1) & np.isfinite(rows.cov[own]).all((1, 2))]
        xy[k, rows.tick[own] - begin] = rows.xy[own]
        cov[k, rows.tick[own] - begin] = rows.cov[own]
    return xy, cov


def _heights(rows: CameraRows, moment: _Moment, settings: ExchangeSettings) -> Array:
    """(b, a) what body heights say of one person : two."""
    tick, before, after = moment.tick, moment.before, moment.after
    window = round(settings.height_window_s / CLOCK_S)
    ends = np.array([_height(rows, rows.of(p, tick - window, tick - 1), settings) for p in before])
    begins = np.array([_height(rows, rows.of(p, tick + 1, tick + window), settings) for p in after])
    squared = (ends[:, None, 0] - begins[None, :, 0]) ** 2
    variance = ends[:, None, 1] + begins[None, :, 1]
    other = variance + 2 * BODY_HEIGHT_SD_M**2
    said = (np.log(other / variance) - squared / variance + squared / other) / 2
    return np.clip(
        np.nan_to_num(said, nan=0.0), -settings.height_most / 2, settings.height_most / 2
    )


def _height(rows: CameraRows, own: Ints, settings: ExchangeSettings) -> tuple[float, float]:
    """Body height of these rows, m, and its variance; NaN where too few show it."""
    implied = rows.height[own]
    implied = implied[np.isfinite(implied)]
    if len(implied) < _LEAST_HEIGHTS:
        return np.nan, np.nan
    middle = float(np.median(implied))
    independent = max(1.0, len(implied) * CLOCK_S / _POSE_S)
    return middle, settings.height_sd_m**2 + spread_of(implied) ** 2 / independent
