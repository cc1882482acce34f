"""Masked faces on the key frames of a scan: none of them may propose the subject, and together they
may be worth following. Who they are is said by the faces of whole tracks once they were
(`tasks.people.face_evidence`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data_contracts.policy import SearchSettings
from data_contracts.time import seconds_of
from tasks.people.face_evidence import MaskedSettings

# A walk past a camera that shows a face of 32 px or more takes about so long. Chosen.
_PASSES_S = 10.0


def added_up(
    candidates: pd.DataFrame, search: SearchSettings, settings: MaskedSettings | None = None
) -> pd.DataFrame:
    """CANDIDATES that are worth following: the proposed ones, and as just proposed, so that they
    rule nothing out, masked faces that would propose somebody together with those of the same
    camera nearby in time, were they one person's.

    Looking is not stating: nothing is damped here, and two people's faces add up too.
    """
    settings = settings or MaskedSettings()
    rows = candidates[candidates["masked_llr"].notna()]
    at = seconds_of(rows["t_utc"], candidates["t_utc"].min())
    llr = rows["masked_llr"].to_numpy(float)
    camera = rows["camera_id"].to_numpy()
    near = (camera[:, None] == camera) & (np.abs(at[:, None] - at) <= _PASSES_S / 2)
    odds = near @ llr + np.log(settings.prior / (1 - settings.prior))
    enough = rows.index[1 / (1 + np.exp(-odds)) >= search.propose_probability]
    together = pd.Series(search.propose_probability, index=enough).reindex(candidates.index)
    made = candidates.assign(subject_p=candidates["subject_p"].fillna(together))
    return made[made["subject_p"].notna()]
