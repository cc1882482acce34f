"""Whether a box is still the subject's: continuous motion, and who vanished where."""

import numpy as np
from scene import STRANGER, SUBJECT, at

from tasks.redaction.redact import RedactSettings
from tasks.redaction.still_subject import Instant, certain, follows

SETTINGS = RedactSettings()
TIMES = [i / 5 for i in range(30)]
NOBODY = np.zeros((0, 4))
# Somebody taller, nearer to the camera.
COVER = SUBJECT + np.array([-15, -35, 15, 60])


def test_a_walk_is_followed_and_a_jump_is_not() -> None:
    """Walking, turning and coming nearer are one person; another place, another height or feet
    elsewhere are not.
    """
    assert follows(SUBJECT, SUBJECT + 12, 0.2)
    assert follows(SUBJECT, SUBJECT + np.array([-8, 0, 8, 0]), 0.2)
    assert follows(SUBJECT, SUBJECT + np.array([-4, -8, 4, 20]), 0.2)
    assert not follows(SUBJECT, STRANGER, 0.2)
    assert not follows(SUBJECT, COVER + np.array([0, -10, 0, 20]), 0.2)
    assert not follows(SUBJECT, SUBJECT + np.array([0, 60, 0, 0]), 0.2)


def test_who_walks_away_leaves_no_doubt() -> None:
    """Somebody who passes and is seen all the time, or vanishes elsewhere, does not hide the
    subject afterwards.
    """
    passes = [
        SUBJECT + np.array([-100, 0, -100, 0]) + 10 * i * np.array([1, 0, 1, 0])
        for i in range(len(TIMES))
    ]
    assert all(
        certain([Instant(SUBJECT, box[None]) for box in passes], [at(t) for t in TIMES], SETTINGS)
    )
    far = [Instant(SUBJECT, STRANGER[None] if i < 9 else NOBODY) for i in range(len(TIMES))]
    assert all(certain(far, [at(t) for t in TIMES], SETTINGS))


def test_a_glitch_of_one_frame_hides_only_its_moment() -> None:
    """A box that is wrong in one frame and right again after it is doubted there, not for the rest
    of the clip.
    """
    seen = [Instant(COVER if i == 12 else SUBJECT, NOBODY) for i in range(len(TIMES))]
    sure = certain(seen, [at(t) for t in TIMES], SETTINGS)
    assert not any(sure[11:14])
    assert all(sure[:10])
    assert all(sure[15:])
