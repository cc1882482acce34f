"""Exposure policies on encounters with known truth."""

import numpy as np
import pandas as pd
import pytest

from data_contracts.policies import load_policy, policy_names
from data_contracts.policy import InfectiousWindow, Policy, SearchSettings, Tier
from data_contracts.tables.contracts import CONTACTS, ENCOUNTER_POINTS, ENCOUNTERS
from tasks.exposure.assess import assess, rule_in_words

T0 = pd.Timestamp("2026-11-16T00:00:00Z")


def policy(*tiers: tuple[float, float], **fields) -> Policy:
    """A policy of tiers (metres, seconds)."""
    window = InfectiousWindow(from_days=-2, to_days=10)
    return Policy(
        **{
            "name": "p",
            "version": "2026",
            "title": "t",
            "citation": "c",
            "tiers": tuple(
                Tier(name=f"t{i}", max_distance_m=d, min_duration_s=s)
                for i, (d, s) in enumerate(tiers)
            ),
            "accumulate_over_s": 0,
            "infectious_symptomatic": window,
            "infectious_asymptomatic": window,
            "mask_rule": "ignore",
        }
        | fields
    )


def stand(person: str, start_s: float, length_s: float, x_m: float, **columns) -> pd.DataFrame:
    """Encounter points of someone who stands at x_m for a while, 5 Hz."""
    t = np.arange(start_s, start_s + length_s, 0.2)
    frame = pd.DataFrame({"t_utc": T0 + pd.to_timedelta(t.round(3), unit="s"), "person_id": person})
    base = {
        "encounter_id": f"E-{person}",
        "dt_s": 0.2,
        "dx_m": x_m,
        "dy_m": 0.0,
        "cov_xx": 0.01,
        "cov_xy": 0.0,
    }
    base |= {
        "cov_yy": 0.01,
        "subject_mask_p": 0.0,
        "person_mask_p": 0.0,
        "subject_p": 1.0,
        "cameras": "a",
    }
    return ENCOUNTER_POINTS.shape(frame.assign(**(base | {"seen": True} | columns)))


def run(
    points: pd.DataFrame, rule: Policy, seed: int = 0, doubts: dict[str, str] | None = None
) -> pd.DataFrame:
    """Contacts of points whose encounters all exist; `doubts` by encounter."""
    names = sorted(set(points["encounter_id"]))
    encounters = pd.DataFrame(
        {"encounter_id": names, "doubt": [(doubts or {}).get(n, "") for n in names]}
    ).assign(review="unreviewed")
    return assess(points, encounters, rule, np.random.default_rng(seed))


def test_long_enough_is_a_contact_and_too_short_is_none():
    """Shows 30 s at 1 m meet a rule of 30 s within 1.5 m, and 29 s do not."""
    points = pd.concat([stand("A", 0, 30.2, 1.0), stand("B", 100, 29, 1.0)])
    contacts = run(points, policy((1.5, 30)))
    (row,) = contacts.to_dict("records")
    assert (row["person_id"], row["contact_id"], row["band"], row["review"]) == (
        "A",
        "C-01",
        "high",
        "unreviewed",
    )
    assert row["exposure_s"] == pytest.approx(30.2)
    assert row["probability"] == 1.0
    assert row["rule"] == "within 1.5 m for at least 30 s (p@2026)"
    assert list(contacts.columns) == CONTACTS.names


def test_episodes_do_not_add_up_but_windows_do():
    """Shows three times 5 min an hour apart are not a contact of one episode of 15 min, and are one
    over 24 h.
    """
    parts = [
        stand("A", hour * 3600, 301, 1.0, encounter_id=f"E-{hour}").iloc[::5] for hour in range(3)
    ]
    points = pd.concat(parts).assign(dt_s=1.0)
    assert run(points, policy((1.83, 900))).empty
    (row,) = run(points, policy((1.83, 900), accumulate_over_s=86400)).to_dict("records")
    assert row["encounter_ids"] == "E-0,E-1,E-2"
    assert row["exposure_s"] == pytest.approx(903, abs=1)
    assert run(points, policy((1.83, 900), accumulate_over_s=5400)).empty


def test_the_gap_an_episode_tolerates_is_the_policys():
    """Shows that 8 s apart break an episode only where the policy's gap is shorter, and never count
    as time.
    """
    points = pd.concat([stand("A", 0, 20, 1.0), stand("A", 28, 20, 1.0)])
    (row,) = run(points, policy((1.5, 30), episode_gap_s=10)).to_dict("records")
    assert row["exposure_s"] == pytest.approx(40)
    assert run(points, policy((1.5, 30), episode_gap_s=5)).empty


def test_doubt_about_distance_and_subject_is_in_the_probability():
    """Shows P(rule) at the border is a half, and is multiplied by P(subject)."""
    points = stand("A", 0, 60, 1.5, cov_xx=0.04, cov_yy=1e-6)
    easy = policy((1.5, 30), search=SearchSettings(contact_probability=0.1))
    assert run(points, easy)["probability"].iloc[0] == pytest.approx(0.5, abs=0.06)
    near = stand("A", 0, 60, 0.8, subject_p=0.7)
    (row,) = run(near, policy((1.5, 30))).to_dict("records")
    assert row["probability"] == pytest.approx(0.7, abs=0.002)
    assert row["band"] == "question"
    assert run(near, policy((1.5, 30), search=SearchSettings(contact_probability=0.75))).empty


def test_any_time_needs_an_instant():
    """Shows that a tier of 0 s is met by a second within the distance, and not by people beyond
    it.
    """
    points = pd.concat([stand("A", 0, 1, 1.0), stand("B", 0, 60, 2.9)])
    assert list(run(points, policy((1.5, 0)))["person_id"]) == ["A"]


def test_the_tier_that_fired_is_named():
    """Shows that of several tiers the likeliest is named, and of equals the policy's first."""
    rule = policy((1.0, 60), (2.0, 20))
    contacts = run(pd.concat([stand("A", 0, 70, 0.5), stand("B", 0, 30, 1.7)]), rule).set_index(
        "person_id"
    )
    assert contacts.loc["A", "tier"] == "t0"
    assert contacts.loc["B", "tier"] == "t1"


@pytest.mark.parametrize(
    ("rule", "counts"),
    [
        # subject/person: bare/bare, masked/bare, bare/masked, masked/masked
        ("ignore", [True, True, True, True]),
        ("case_only", [True, False, True, False]),
        ("contact_only", [True, True, False, False]),
        ("either_unmasked", [True, True, True, False]),
        ("both_masked_exempt", [True, True, True, False]),
    ],
)
def test_mask_rules(rule, counts):
    """Shows each mask rule on the four combinations of masks."""
    combinations = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
    for (subject, person), expected in zip(combinations, counts, strict=True):
        points = stand("A", 0, 60, 1.0, subject_mask_p=subject, person_mask_p=person)
        assert (not run(points, policy((1.5, 30), mask_rule=rule)).empty) is expected


def test_masks_count_by_the_instant():
    """Shows that only the time without masks counts where both wear one for a part of it."""
    points = pd.concat(
        [stand("A", 0, 20, 1.0), stand("A", 20, 40, 1.0, subject_mask_p=1.0, person_mask_p=1.0)]
    )
    (row,) = run(points, policy((1.5, 15), mask_rule="both_masked_exempt")).to_dict("records")
    assert row["exposure_s"] == pytest.approx(20)
    assert run(points, policy((1.5, 30), mask_rule="both_masked_exempt")).empty


def test_unknown_masks_count_as_the_policy_says():
    """Shows that a mask nobody saw is bare under one policy and worn under another, and the state
    stays unknown.
    """
    points = stand("A", 0, 60, 1.0, person_mask_p=None)
    (row,) = run(points, policy((1.5, 30), mask_rule="contact_only")).to_dict("records")
    assert row["person_mask"] == "unknown"
    assert run(
        points, policy((1.5, 30), mask_rule="contact_only", unknown_mask_counts_as="masked")
    ).empty


def test_numbers_are_shuffled_and_say_nothing():
    """Shows that C-01 goes to different people in different runs, and the same probabilities come
    out.
    """
    points = pd.concat([stand(f"P{i}", 100 * i, 6, 1.0) for i in range(6)])
    firsts = set()
    for seed in range(12):
        contacts = run(points, policy((1.5, 3)), seed)
        assert list(contacts["contact_id"]) == [f"C-{n:02d}" for n in range(1, 7)]
        firsts.add(contacts["person_id"].iloc[0])
        assert set(contacts["probability"]) == {1.0}
    assert len(firsts) > 3


def test_removed_encounters_are_not_assessed():
    """Shows that points of an encounter that is not in the list any more do not count."""
    points = stand("A", 0, 60, 1.0)
    assert assess(points, ENCOUNTERS.empty(), policy((1.5, 30)), np.random.default_rng(0)).empty


def test_changing_only_the_policy_needs_only_the_stored_points():
    """Shows every shipped policy runs on the same stored points, through Parquet-like dtypes, and
    words its rule.
    """
    points = stand("A", 0, 1900, 0.8).iloc[::10].assign(dt_s=2.0)
    for name in policy_names():
        rule = load_policy(name)
        (row,) = run(points, rule).to_dict("records")
        assert row["policy"] == rule.label
        assert rule.label in row["rule"]


def test_rules_in_words():
    """Shows how rules read in the report."""
    cdc = load_policy("cdc-2021-08")
    ukhsa = load_policy("ukhsa-2021")
    hku = load_policy("hku")
    assert (
        rule_in_words(cdc.tiers[0], cdc)
        == "within 1.83 m for at least 15 min in 24 h (cdc-2021-08@2021-08)"
    )
    assert (
        rule_in_words(ukhsa.tiers[0], ukhsa)
        == "within 1 m for any time, face to face (ukhsa-2021@2021)"
    )
    assert "unless both wore masks" in rule_in_words(hku.tiers[0], hku)
    assert "masks" not in rule_in_words(hku.tiers[1], hku)


def test_who_may_be_the_subject_is_a_question_with_the_reason():
    """Shows that a certain exposure is a question while its every encounter is in doubt, and none
    once one of them is not.
    """
    points = pd.concat([stand("A", 0, 40, 0.3), stand("A", 100, 40, 0.3, encounter_id="E-A2")])
    rule = policy((1.5, 60), accumulate_over_s=3600)
    (row,) = run(points, rule, doubts={"E-A": "may be ...", "E-A2": "may be ..."}).to_dict(
        "records"
    )
    assert (row["band"], row["doubt"], row["probability"]) == ("question", "may be ...", 1.0)
    (row,) = run(points, rule, doubts={"E-A": "may be ..."}).to_dict("records")
    assert (row["band"], row["doubt"]) == ("high", "")
