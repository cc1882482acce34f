"""What tests of tokens need: a binding, and a list of tokens that has nothing against any."""

from datetime import UTC, datetime

from data_contracts.case import Visit
from tasks.consent.binding import bind

PICTURES = {"a.jpg": b"a picture of the subject"}
_DAY = datetime(2026, 11, 16, tzinfo=UTC)
BINDING = bind(
    (Visit(place="x", from_utc=_DAY, to_utc=_DAY.replace(hour=1)),), _DAY, None, PICTURES
)


def usable(_grant):
    """Every token is new."""
    return "usable"
