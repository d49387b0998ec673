"""The two checks that configs share: what passes, what does not, and the sentence that says so."""

import re
from typing import Any

import pytest

from gumbel_core.checks import check_name, check_whole


@pytest.mark.parametrize("value", [2, 3, 5_000])
def test_whole_numbers_within_their_limits_pass(value: int) -> None:
    check_whole("The number of steps", value, (2, 5_000))


@pytest.mark.parametrize("value", [1, 5_001, -2, 10**30, 3.0, float("nan"), True, "3", None, [3]])
def test_whatever_else_is_refused_in_a_sentence(value: Any) -> None:
    sentence = f"The number of steps is a whole number from 2 to 5,000, not {value!r}."
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        check_whole("The number of steps", value, (2, 5_000))


def test_true_and_false_are_no_numbers_where_1_and_0_are() -> None:
    for value in (True, False):
        with pytest.raises(ValueError, match=f"not {value}"):
            check_whole("A seed", value, (0, 1))


@pytest.mark.parametrize("names", [("even", "odd"), {"even": 0, "odd": 1}], ids=["tuple", "map"])
def test_names_are_told_from_what_is_none(names: Any) -> None:
    for name in names:
        check_name("order", name, names)
    for other in ("eve", "", "Even", None, 0, ["even"], {"even": 0}):
        sentence = f"There is no order {other!r}: it is one of even, odd."
        with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
            check_name("order", other, names)
