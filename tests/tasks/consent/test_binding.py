"""What a token is bound to."""

import pytest
from grants import PICTURES
from subject_case import subject_case

from data_contracts.errors import NotAuthorised
from tasks.consent.binding import bind_request, check_pictures, check_request

CASE = subject_case()


def test_the_request_that_was_signed_passes():
    """Names of pictures do not count, their bytes do; the order does not matter."""
    check_request(CASE.consent, CASE.request)
    check_pictures(CASE.consent, {"other-name.jpg": PICTURES["a.jpg"]})


def test_two_bindings_of_one_request_have_nothing_in_common():
    """A salt for each token."""
    one, two = (bind_request(CASE.request, PICTURES) for _ in range(2))
    assert not {*one.pictures, one.itinerary, one.window} & {
        *two.pictures,
        two.itinerary,
        two.window,
    }


def test_a_visit_more_is_another_itinerary():
    """Any change of the itinerary, be it a tolerance, was not signed."""
    visit = CASE.request.itinerary[0]
    for itinerary in ((visit, visit), (visit.model_copy(update={"tolerance_s": 301.0}),)):
        with pytest.raises(NotAuthorised, match="itinerary"):
            check_request(CASE.consent, CASE.request.model_copy(update={"itinerary": itinerary}))


def test_a_missing_picture_is_told():
    """All signed pictures belong to the case."""
    with pytest.raises(NotAuthorised, match="1 of the pictures"):
        check_pictures(CASE.consent, {})
