"""What pages and live runs share: read once, and bounded by the environment."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
import torch

from gumbel_core.datasets import DataError, enlarged, load, unit
from gumbel_core.vae.live import LOOKED_AT
from gumbel_core.vae.settings import setting_of
from gumbel_core.vae.training import Training
from pages.components.live_runs import (
    fresh,
    has_images,
    images_of,
    load_or_download,
    looked_at,
    on_disk,
    resumed,
    runs,
    shipped,
)


@pytest.fixture(autouse=True)
def forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that has just begun, with nothing on its disk."""
    monkeypatch.setenv("GUMBEL_DATA_DIR", str(tmp_path))
    runs.cache_clear()
    on_disk.cache_clear()
    st.cache_resource.clear()
    yield
    runs.cache_clear()
    on_disk.cache_clear()
    st.cache_resource.clear()


@pytest.mark.parametrize(
    ("said", "taken"), [("3", 3), ("0", None), ("-1", None), ("two", None), ("²", None), ("", None)]
)
def test_the_environment_says_how_many_train_at_once(
    said: str, taken: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pages.components.live_runs.cores", lambda: 5)
    monkeypatch.setenv("GUMBEL_LIVE_RUNS", said)
    monkeypatch.setenv("GUMBEL_LIVE_GRACE", "7")
    runs.cache_clear()
    assert runs().slots.count == (taken or 5)
    assert runs().grace == 7


def test_what_is_shared_is_read_once() -> None:
    assert runs() is runs()
    assert on_disk("digits", "grey") is on_disk("digits", "grey")
    assert shipped("digits") is shipped("digits")


def test_what_is_missing_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not has_images("mnist")
    digits = load("digits")
    monkeypatch.setattr("pages.components.live_runs.load", lambda _: digits)
    assert has_images("mnist")


def test_what_is_not_on_the_disk_is_downloaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load_(name: str, *, download: bool = False) -> object:
        asked.append(download)
        if True not in asked:
            raise DataError("It is not there.")
        return load("digits")

    monkeypatch.setattr("pages.components.live_runs.load", load_)
    assert load_or_download("mnist", "grey") is load_or_download("mnist", "grey")
    assert asked == [False, True, False]


def test_a_models_pictures_are_of_its_own_pixels() -> None:
    digits = load("digits").test
    assert torch.equal(looked_at(setting_of("small", "digits").config()), unit(digits)[:LOOKED_AT])
    bits = looked_at(setting_of("jang2017", "digits").config())
    assert set(bits.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(looked_at(setting_of("small", "mnist").config()), unit(enlarged(digits)))


def test_both_pages_show_a_model_the_same_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.components.live_runs.LOOKED_AT", 10)
    for dataset, stand_in in {"digits": False, "mnist": True, "kmnist": True}.items():
        for recipe in ("small", "jang2017"):
            config = setting_of(recipe, dataset).config()
            there = images_of(dataset, config.pixels)
            assert there.stand_in == stand_in
            assert there.labels.shape == there.pixels.shape[:1]
            assert torch.equal(looked_at(config), there.pixels[:10])


def test_a_kept_run_goes_on_with_the_images_that_it_learned_from_alone() -> None:
    config = setting_of("jang2017", "digits").config()
    training = fresh(config)()
    state = training.state()
    # Its bits are drawn once, so they are not the digits' own bytes.
    sha256 = on_disk("digits", "fixed").sha256
    assert sha256 != load("digits").sha256
    assert isinstance(resumed(state, sha256)(), Training)
    with pytest.raises(ValueError, match=r"^This run learned from other images than the digits"):
        resumed(state, load("digits").sha256)()
