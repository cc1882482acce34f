"""Mask states in words, and which instants a policy's mask rule lets count."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_contracts.exposure import MeetSettings
from data_contracts.policy import MaskRule

Floats = NDArray[np.float64]
MaskState = Literal["masked", "bare", "mixed", "unknown"]


def mask_state(mask_p: Floats, dt_s: Floats, settings: MeetSettings) -> MaskState:
    """The mask over a stretch of time in one word.

    `mask_p` (n,) probability of a mask, NaN where nothing is known; `dt_s` (n,) seconds that each
    instant stands for. Mixed means that both states took more than the settings' share of the
    decided time.
    """
    masked = float(dt_s[mask_p >= settings.masked_p].sum())
    bare = float(dt_s[mask_p <= settings.bare_p].sum())
    decided = masked + bare
    total = float(dt_s.sum())
    if total <= 0 or decided <= 0 or decided < settings.known_share * total:
        return "unknown"
    if masked >= settings.pure_share * decided:
        return "masked"
    return "bare" if bare >= settings.pure_share * decided else "mixed"


def counted_by_masks(
    rule: MaskRule,
    subject_mask_p: Floats,
    person_mask_p: Floats,
    unknown_counts_as: Literal["masked", "unmasked"],
    subject_draw: Floats,
    person_draw: Floats,
) -> NDArray[np.bool_]:
    """Which instants the mask rule lets count, in possible worlds: (paths, n).

    `subject_draw`, `person_draw` (paths,) in [0, 1): in one world a person is masked wherever
    mask_p exceeds the draw, so the doubt about a mask is one doubt for the whole time and not a new
    one at every instant. Unknown (NaN) counts as the policy says. `either_unmasked` (counts while
    one of the two is bare) and `both_masked_exempt` (does not count while both are masked) are the
    same set of instants: two guidelines word it differently.
    """
    paths = len(subject_draw)
    n = len(subject_mask_p)
    if rule == "ignore":
        return np.ones((paths, n), bool)
    fallback = 1.0 if unknown_counts_as == "masked" else 0.0
    subject = np.nan_to_num(subject_mask_p, nan=fallback)[None, :] > subject_draw[:, None]
    person = np.nan_to_num(person_mask_p, nan=fallback)[None, :] > person_draw[:, None]
    if rule == "case_only":
        return ~subject
    if rule == "contact_only":
        return ~person
    return ~(subject & person)
