"""Exposure policies as data: the engine reads only the file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from data_contracts.record import Record

MaskRule = Literal["ignore", "case_only", "contact_only", "either_unmasked", "both_masked_exempt"]


class Tier(Record):
    """One rule: closer than `max_distance_m` for at least `min_duration_s` in a setting.

    `min_duration_s` 0 means "any time": one instant is enough. `mask_rule` overrides the policy's
    for this tier.
    """

    name: str
    max_distance_m: float = Field(gt=0, le=10)
    min_duration_s: float = Field(ge=0)
    setting: str = "any"
    mask_rule: MaskRule | None = None


class InfectiousWindow(Record):
    """Days relative to onset (or to the sample date for people without symptoms); `to_days` None:
    no end.
    """

    from_days: float
    to_days: float | None


class SearchSettings(Record):
    """Thresholds on calibrated probabilities and search horizons: settings of the policy, not of
    code.

    From a sighting, cameras up to `max_hops` neighbours and `horizon_s` of walking away are looked
    at; each new sighting moves both on. More hops find someone whom several cameras in a row
    missed, at a cost that grows with their square. A camera of which the camera file names no way
    to any other is looked at within `unknown_way_m` of it in a straight line, nearest first, for at
    most `unknown_way_hours` of recording around one sighting or claim; the rest is told as a gap.

    `masked_llr`: a masked face that proposes nobody by itself adds to others of the same track from
    this log likelihood ratio (the subject : somebody else) on.
    """

    propose_probability: float = Field(default=0.5, gt=0, lt=1)
    high_probability: float = Field(default=0.9, gt=0, lt=1)
    masked_llr: float = Field(default=0.5, ge=0, le=5)
    horizon_s: float = Field(default=900.0, gt=0)
    max_speed_mps: float = Field(default=2.5, gt=0)
    max_hops: int = Field(default=3, ge=1)
    unknown_way_m: float = Field(default=200.0, ge=0)
    unknown_way_hours: float = Field(default=20.0, ge=0)
    contact_probability: float = Field(default=0.5, gt=0, lt=1)


class Policy(Record):
    """A dated exposure policy. `accumulate_over_s` 0: one continuous episode counts; otherwise
    summed in that window.

    `not_seen_by_camera` lists the rules of the published definition that no camera can judge
    (touch, household, masks' kind): they are not evaluated, and the report says so.
    """

    name: str
    version: str
    title: str
    citation: str
    notes: str = ""
    tiers: tuple[Tier, ...] = Field(min_length=1)
    accumulate_over_s: float = Field(ge=0)
    episode_gap_s: float = Field(default=10.0, ge=0)
    infectious_symptomatic: InfectiousWindow
    infectious_asymptomatic: InfectiousWindow
    mask_rule: MaskRule
    unknown_mask_counts_as: Literal["masked", "unmasked"] = "unmasked"
    not_seen_by_camera: tuple[str, ...] = ()
    search: SearchSettings = SearchSettings()

    @property
    def label(self) -> str:
        """Name and version as shown in every artefact, such as `who@2021-02`."""
        return f"{self.name}@{self.version}"

    def mask_rule_of(self, tier: Tier) -> MaskRule:
        """The mask rule that a tier is evaluated with."""
        return tier.mask_rule or self.mask_rule
