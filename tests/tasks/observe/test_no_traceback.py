"""What a function saw does not leave with its failure."""

import gc
import weakref

import numpy as np
import pytest

from data_contracts.errors import EncounterError, ModelUnavailable
from tasks.observe.no_traceback import forgetful

seen: list[weakref.ref] = []


@forgetful
def looks(fault):
    """Holds an array in a local variable and fails as asked."""
    kept = np.ones(1024)
    seen.append(weakref.ref(kept))
    if fault is not None:
        raise fault
    return float(kept.sum())


def test_it_is_the_function_where_nothing_fails():
    """Result, name and docstring are the function's own."""
    assert looks(None) == 1024
    assert looks.__name__ == "looks"
    assert "local variable" in looks.__doc__


@pytest.mark.parametrize(
    ("fault", "kind", "text"),
    [
        (ModelUnavailable("pull it"), ModelUnavailable, "^pull it$"),
        (
            ValueError("0.123 0.456"),
            EncounterError,
            r"^unexpected ValueError in looks, at test_no_traceback.py:\d+; please",
        ),
        (MemoryError(), EncounterError, "MemoryError in looks"),
    ],
)
def test_a_failure_holds_nothing(fault, kind, text):
    """While the error is held, what the function saw is gone; our errors keep their type, others
    only name it.
    """
    with pytest.raises(kind, match=text) as caught:
        looks(fault)
    fault.__traceback__ = None
    assert type(caught.value) is kind
    assert caught.value.__context__ is caught.value.__cause__ is None
    gc.collect()
    assert seen[-1]() is None
