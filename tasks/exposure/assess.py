"""Assess: which encounters an exposure policy counts as contacts, and how sure that is.

The policy is read as data and evaluated on the distribution of the distance, never on a point
estimate. Nothing but the stored encounter points is needed, so a changed policy reads no video
again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_contracts.exposure import MeetSettings
from data_contracts.policy import MaskRule, Policy, Tier
from data_contracts.tables.contracts import CONTACTS
from data_contracts.time import seconds_of
from tasks.exposure.accumulate import largest
from tasks.exposure.distance import distance_paths, probability_within
from tasks.exposure.mask_rule import counted_by_masks, mask_state
from tasks.exposure.meet import difference

Floats = NDArray[np.float64]
_INTERVAL = (0.05, 0.95)
# "For any time" is met by one instant, which stands for more than this.
_ANY_TIME_S = 1e-6
_MASK_WORDS: dict[MaskRule, str] = {
    "ignore": "",
    "case_only": ", while the case wore no mask",
    "contact_only": ", while the contact wore no mask",
    "either_unmasked": ", while one of the two wore no mask",
    "both_masked_exempt": ", unless both wore masks",
}


class _Outcome(NamedTuple):
    """One tier for one person: seconds of each path (paths,), P(rule met and subject), share that
    masks let count.
    """

    tier: Tier
    exposure_s: Floats
    probability: float
    mask_share: Floats


class _Draws(NamedTuple):
    """One number in [0, 1) a path for each doubt that lasts: is it the subject, is the subject /
    the person masked.
    """

    is_subject: Floats
    subject_mask: Floats
    person_mask: Floats


def assess(
    encounter_points: pd.DataFrame,
    encounters: pd.DataFrame,
    policy: Policy,
    rng: np.random.Generator,
    settings: MeetSettings | None = None,
) -> pd.DataFrame:
    """Contacts (contract CONTACTS): one row a person for whom a tier was met with the policy's
    probability.

    `rng` only shuffles the numbers C-01, C-02, ...: they say nothing about who or when.
    Probabilities come from the settings' fixed seed, so that the same encounters and policy give
    the same answer, and two policies are compared on the same error histories. Points of encounters
    that are not in `encounters`, or that two reviewers rejected, are not assessed. A contact whose
    every encounter is in doubt is a question, with the first one's reason; one whose every
    encounter two reviewers confirmed is confirmed.
    """
    settings = settings or MeetSettings()
    stand = encounters[encounters["review"] != "rejected"].set_index("encounter_id")
    points = encounter_points[encounter_points["encounter_id"].isin(stand.index)]
    rows = []
    for _, person in points.groupby("person_id", sort=True):
        person = person.sort_values("t_utc").reset_index(drop=True)
        best = _strongest(person, policy, settings)
        if best is not None and best.probability >= policy.search.contact_probability:
            row = _contact(person, best, policy, settings)
            rows.append(row | _as_reviewed(row, stand, policy))
    for row, number in zip(rows, rng.permutation(len(rows)) + 1, strict=True):
        row["contact_id"] = f"C-{number:02d}"
    return CONTACTS.shape(sorted(rows, key=lambda row: int(row["contact_id"][2:])))


def rule_in_words(tier: Tier, policy: Policy) -> str:
    """The rule as people say it, such as `within 1.5 m for at least 30 s (demo-short@2026-11)`."""
    time = (
        f"for at least {_time_words(tier.min_duration_s)}"
        if tier.min_duration_s > 0
        else "for any time"
    )
    window = (
        f" in {_time_words(policy.accumulate_over_s)}"
        if policy.accumulate_over_s and tier.min_duration_s
        else ""
    )
    setting = "" if tier.setting == "any" else f", {tier.setting}"
    masks = _MASK_WORDS[policy.mask_rule_of(tier)]
    return f"within {tier.max_distance_m:g} m {time}{window}{setting}{masks} ({policy.label})"


def _time_words(time_s: float) -> str:
    if time_s >= 3600 and time_s % 3600 == 0:
        return f"{time_s / 3600:g} h"
    return f"{time_s / 60:g} min" if time_s >= 60 and time_s % 60 == 0 else f"{time_s:g} s"


def _strongest(person: pd.DataFrame, policy: Policy, settings: MeetSettings) -> _Outcome | None:
    """The tier met with the largest probability; of equals the policy's first. None where no tier
    could be met.
    """
    t = seconds_of(person["t_utc"])
    dt = person["dt_s"].to_numpy(float)
    tiers = [tier for tier in policy.tiers if dt.sum() >= tier.min_duration_s]
    if not tiers:
        return None
    paths = settings.errors.paths
    rng = np.random.default_rng(settings.errors.seed)
    draws = _Draws(*(_stratified(paths, rng) for _ in range(3)))
    masks_let = [_masks_let(person, tier, policy, draws) for tier in tiers]
    is_subject = person["subject_p"].to_numpy(float)[None, :] > draws.is_subject[:, None]
    sums = np.zeros((len(tiers), paths))
    met = np.zeros(len(tiers))
    window = (policy.accumulate_over_s, policy.episode_gap_s)
    start = 0
    for block in distance_paths(t, *difference(person), settings.errors, rng):
        part = slice(start, start := start + len(block))
        for i, tier in enumerate(tiers):
            counted = (block < tier.max_distance_m) & masks_let[i][part]
            sums[i, part] = largest(counted, t, dt, *window).seconds
            of_subject = largest(counted & is_subject[part], t, dt, *window).seconds
            met[i] += (of_subject >= max(tier.min_duration_s, _ANY_TIME_S)).sum()
    best = int(np.argmax(np.round(met / paths, 3)))
    return _Outcome(tiers[best], sums[best], float(met[best] / paths), masks_let[best].mean(axis=0))


def _masks_let(
    person: pd.DataFrame, tier: Tier, policy: Policy, draws: _Draws
) -> NDArray[np.bool_]:
    """(paths, n): the mask rule lets the instant count."""
    return counted_by_masks(
        policy.mask_rule_of(tier),
        person["subject_mask_p"].to_numpy(float),
        person["person_mask_p"].to_numpy(float),
        policy.unknown_mask_counts_as,
        draws.subject_mask,
        draws.person_mask,
    )


def _stratified(n: int, rng: np.random.Generator) -> Floats:
    """n numbers in (0, 1), one in each n-th, in random order: a share of them is exact to 1/n."""
    return (rng.permutation(n) + 0.5) / n


def _contact(
    person: pd.DataFrame, best: _Outcome, policy: Policy, settings: MeetSettings
) -> dict[str, Any]:
    """The contact's row; times, distance and masks describe the instants that more likely than not
    counted.
    """
    inside = _counted_instants(person, best, policy)
    dt = inside["dt_s"].to_numpy(float)
    distance = np.hypot(inside["dx_m"].to_numpy(float), inside["dy_m"].to_numpy(float))
    expected = float(best.exposure_s.mean())
    low, high = np.quantile(best.exposure_s, _INTERVAL)
    return {
        "person_id": person["person_id"].iloc[0],
        "encounter_ids": ",".join(dict.fromkeys(inside["encounter_id"])),
        "policy": policy.label,
        "tier": best.tier.name,
        "rule": rule_in_words(best.tier, policy),
        "start_utc": inside["t_utc"].iloc[0],
        "end_utc": inside["t_utc"].iloc[-1],
        "exposure_s": expected,
        "exposure_s_lo": min(float(low), expected),
        "exposure_s_hi": max(float(high), expected),
        "min_m": float(distance.min()),
        "median_m": float(np.median(distance)),
        "subject_mask": mask_state(inside["subject_mask_p"].to_numpy(float), dt, settings),
        "person_mask": mask_state(inside["person_mask_p"].to_numpy(float), dt, settings),
        "cameras": ",".join(
            sorted({c for text in inside["cameras"] for c in text.split(",") if c})
        ),
        "probability": best.probability,
    }


def _as_reviewed(row: dict[str, Any], stand: pd.DataFrame, policy: Policy) -> dict[str, str]:
    """The contact's `review`, `doubt` and `band`, by its encounters."""
    own = stand.loc[row["encounter_ids"].split(",")]
    (review,) = set(own["review"]) if own["review"].nunique() == 1 else ("unreviewed",)
    reasons = list(own["doubt"])
    doubt = reasons[0] if all(reasons) else ""
    sure = row["probability"] >= policy.search.high_probability and not doubt
    high = sure or review == "confirmed"
    return {"review": review, "doubt": doubt, "band": "high" if high else "question"}


def _counted_instants(person: pd.DataFrame, best: _Outcome, policy: Policy) -> pd.DataFrame:
    """The instants of the largest exposure: those that counted more likely than not, else the
    likeliest ones.
    """
    likely = probability_within(*difference(person), best.tier.max_distance_m) * best.mask_share
    counted = likely >= (0.5 if likely.max() >= 0.5 else 0.5 * likely.max())
    t = seconds_of(person["t_utc"])
    dt = person["dt_s"].to_numpy(float)
    stretch = largest(counted[None, :], t, dt, policy.accumulate_over_s, policy.episode_gap_s)
    first = int(stretch.first[0])
    last = int(stretch.last[0])
    return person.iloc[first : last + 1][counted[first : last + 1]]
