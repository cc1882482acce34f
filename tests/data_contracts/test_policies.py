"""The shipped exposure policies and their loader."""

from pathlib import Path

import pytest

from data_contracts.errors import BadInput
from data_contracts.policies import load_policy, policy_names

# Name, tiers (m, s), accumulate_over_s, days of symptomatic cases, mask rule: as published.
FIGURES = [
    ("who", [(1.0, 900)], 0, (-2, 13), "ignore"),
    ("cdc-2021-08", [(1.83, 900)], 86400, (-2, None), "ignore"),
    ("ukhsa-2021", [(1.0, 0), (1.0, 60), (2.0, 900)], 86400, (-2, 10), "ignore"),
    ("ecdc-2020-04", [(2.0, 900)], 86400, (-2, None), "ignore"),
    ("kdca-2020-02", [(2.0, 0)], 0, (0, None), "ignore"),
    ("kdca-2022", [(2.0, 900)], 0, (-2, None), "either_unmasked"),
    ("hku", [(2.0, 0), (2.0, 1800)], 0, (-2, None), "both_masked_exempt"),
]
DEMONSTRATION = "demonstration only, not a public-health rule"


def test_every_shipped_policy_loads_and_says_where_it_comes_from():
    """Shows that each file is a valid policy named like its file, dated and cited, and that its
    figures are pinned below, or that it says that it is for demonstration.
    """
    for name in policy_names():
        policy = load_policy(name)
        assert policy.name == name
        assert policy.version[:2] == "20"
        assert policy.citation
        assert DEMONSTRATION in policy.notes or name in {row[0] for row in FIGURES}, name


@pytest.mark.parametrize(("name", "tiers", "accumulate_s", "symptomatic", "mask_rule"), FIGURES)
def test_figures_are_the_published_ones(name, tiers, accumulate_s, symptomatic, mask_rule):
    """Pins each policy's figures to the published table; a changed figure needs a new dated
    file.
    """
    policy = load_policy(name)
    assert [(t.max_distance_m, t.min_duration_s) for t in policy.tiers] == tiers
    assert policy.accumulate_over_s == accumulate_s
    window = policy.infectious_symptomatic
    assert (window.from_days, window.to_days) == symptomatic
    assert policy.mask_rule == mask_rule


@pytest.mark.parametrize("name", ["ecdc-2020-04", "hku", "kdca-2022"])
def test_unsure_figures_are_marked(name):
    """Shows that figures not confirmed in a primary text are marked in the notes."""
    assert "(unsure)" in load_policy(name).notes


@pytest.mark.parametrize("name", ["demo-short", "near-2m"])
def test_demonstration_policies_say_so(name):
    """Shows that nobody can take the short times for a rule of public health."""
    assert DEMONSTRATION in load_policy(name).notes


def test_own_policies_come_from_a_folder_or_a_path(tmp_path: Path):
    """Shows that adding a policy is adding a file, and that own files win over shipped ones."""
    text = (
        Path(__file__)
        .parents[2]
        .joinpath("data_contracts/policies/who.yaml")
        .read_text(encoding="utf-8")
    )
    own = tmp_path / "who.yaml"
    own.write_text(text.replace("max_distance_m: 1.0", "max_distance_m: 1.25"), encoding="utf-8")
    assert load_policy("who", tmp_path).tiers[0].max_distance_m == 1.25
    assert load_policy(str(own)).tiers[0].max_distance_m == 1.25


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (": [", "expected YAML"),
        ("name: mine", "field version"),
        ("- 1", "field file"),
        ("name: other", "field version"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, content: str, message: str):
    """Shows that a broken policy file names the file and the field, in one line."""
    (tmp_path / "mine.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=message) as caught:
        load_policy("mine", tmp_path)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_the_known_ones():
    """Shows that a typing error is answered with what exists."""
    with pytest.raises(BadInput, match="cdc-2021-08, demo-short"):
        load_policy("cdc")
