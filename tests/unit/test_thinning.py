"""A long series in bounded memory: nothing is left out of its means, and its ends stay."""

from itertools import pairwise

import numpy as np
import pytest

from gumbel_core.thinning import Thinned, thinned


@pytest.mark.parametrize("count", [1, 3, 8, 9, 100, 1_000])
def test_rows_are_means_of_equal_stretches(count: int) -> None:
    series = Thinned(8)
    for step in range(count):
        series.add((step, 2 * step))
    rows = series.rows()
    assert len(rows) <= 8
    edges = [*range(0, count, series.stretch), count]
    expected = [np.arange(low, high).mean() for low, high in pairwise(edges)]
    np.testing.assert_allclose(rows, np.transpose([expected, 2 * np.array(expected)]), rtol=1e-12)


def test_a_value_that_was_not_reported_stays_so() -> None:
    series = Thinned(2)
    for value in (1.0, np.nan, 3.0, 4.0):
        series.add((value,))
    assert np.isnan(series.rows()).any()


@pytest.mark.parametrize("limit", [0, 1, 7])
def test_a_limit_that_cannot_be_halved_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="even"):
        Thinned(limit)


def test_items_keep_their_order_their_first_and_their_last() -> None:
    kept: list[int] = []
    for item in range(1_000):
        kept = thinned([*kept, item], 48)
        assert len(kept) <= 48
        assert (kept[0], kept[-1]) == (0, item)
        assert kept == sorted(set(kept))
