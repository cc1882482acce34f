"""Faces, clothes and ways of tracks together."""

import pandas as pd
import pytest

from data_contracts.policy import SearchSettings
from data_contracts.tables.contracts import LOOKS, TRACKS
from tasks.people.all_evidence import by_way, with_looks
from tasks.people.face_evidence import SightSettings, by_ties

T0 = pd.Timestamp("2026-11-16T00:00:00Z")
SEARCH = SearchSettings()
SETTINGS = SightSettings()


def seen(person, camera, x, start, seconds, face=None):
    """Rows of one person, once a second, standing at (x, 0) m; all faces are of one answer."""
    rows = [
        {
            "camera_id": camera,
            "track_id": 1,
            "t_utc": T0 + pd.Timedelta(seconds=s),
            **dict(zip(("x0", "y0", "x1", "y1"), (x, 0, x + 30, 90), strict=True)),
            "score": 0.9,
            "x_m": x,
            "y_m": 0.0,
            "foot_hidden": False,
            **({"face_px": 70, "mask_p": 0.1, "subject_p": face} if face else {}),
        }
        for s in range(start, start + seconds)
    ]
    return TRACKS.shape(rows).assign(person=person)


def looks_of(keyed, **ratio):
    """LOOKS of every fifth row: the ratio of each person's clothes."""
    some = keyed.iloc[::5]
    return LOOKS.shape(some.assign(llr=some["person"].str[0].map(ratio)))


def judged(keyed, **ratio):
    """Probability by person."""
    return both(keyed, **ratio)[0]


def both(keyed, **ratio):
    """Probability and rivals by person."""
    alone = by_ties(keyed, SETTINGS)
    dressed = with_looks(keyed, looks_of(keyed, **ratio))
    return by_way(dressed, alone, {}, SEARCH, SETTINGS)


FACE = seen("f", "alley", 0.0, 0, 10, face=0.95)
OWN = seen("o", "square", 18.0, 25, 100)
CROWD = pd.concat([seen(f"u{k}", "square", 40.0 + k, 12 * k, 60) for k in range(8)])


@pytest.mark.parametrize("pieces", [1, 2, 4, 8])
def test_a_decoy_in_pieces_changes_nothing(pieces) -> None:
    """Somebody in the same clothes comes half a minute later. In however many tracks they are seen,
    the subject stays the subject and the decoy is not proposed.
    """
    length = 80 // pieces
    decoy = pd.concat(
        [seen(f"d{k}", "square", 25.0, 60 + k * length, length) for k in range(pieces)]
    )
    found = judged(pd.concat([FACE, OWN, CROWD, decoy]), f=3.0, o=3.0, d=3.0, u=-3.0)
    assert found["f"] == pytest.approx(by_ties(FACE, SETTINGS)["f"], abs=1e-4)
    assert found["o"] > 0.8
    assert set(found) == {"f", "o"}


def test_who_is_not_likely_has_no_number() -> None:
    """Of people to whom no face ties and whom clothes do not tell nothing is said."""
    assert set(judged(pd.concat([FACE, OWN, CROWD]), f=3.0, o=-3.0, u=-3.0)) == {"f"}


def test_a_question_names_its_rival() -> None:
    """Two in the subject's clothes come at about the same time, one a little later: the likelier
    one is a question, and the other is its rival. One alone has none.
    """
    other = seen("o2", "square", 19.0, 33, 100).assign(y_m=4.0)
    found, rivals = both(pd.concat([FACE, OWN, CROWD, other]), f=3.0, o=3.0, u=-3.0)
    assert 0.5 <= found["o"] < 0.9
    assert rivals == {"o": "o2"}
    assert both(pd.concat([FACE, OWN, CROWD]), f=3.0, o=3.0, u=-3.0)[1] == {}
