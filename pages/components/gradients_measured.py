"""What the bench has measured, shared by all visitors and never changed."""

import time
from dataclasses import replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gumbel_core.estimators import ESTIMATORS
from gumbel_core.gradient_arrows import single_estimates
from gumbel_core.gradient_bench import BenchConfig, Curve, Moments, curve_of, moments_at
from gumbel_core.gradient_learning import LearningConfig, learn
from gumbel_core.gradient_pairs import compare

Array = NDArray[np.float64]

# Seconds that a measurement goes on in silence.
SILENCE = 0.3

# Entries: the pictures of some sixteen problems, and the single numbers of many more moves.
curves_of = st.cache_resource(max_entries=16 * len(ESTIMATORS), show_spinner=False)(curve_of)
estimates_of = st.cache_resource(max_entries=64, show_spinner=False)(single_estimates)
comparison_of = st.cache_resource(max_entries=64, show_spinner=False)(compare)
_moments = st.cache_resource(max_entries=64 * len(ESTIMATORS), show_spinner=False)(moments_at)
_learned = st.cache_resource(max_entries=64 * len(ESTIMATORS), show_spinner=False)(learn)


def moments_of(config: BenchConfig, name: str, tau: float) -> Moments:
    """One estimator at one temperature."""
    return _moments(config, name, _read(name, tau))


def learned(setting: LearningConfig, name: str) -> Array:
    """One estimator's run."""
    return _learned(replace(setting, temperature=_read(name, setting.temperature)), name)


def _read(name: str, tau: float) -> float:
    """The temperature, or for who reads none one that does not move, so that nothing is measured twice."""
    return tau if ESTIMATORS[name].tempered else 1.0


def measured(config: BenchConfig) -> dict[str, Curve]:
    """Every estimator's curve; where that takes a while, how far it is."""
    begun, place = time.monotonic(), st.empty()
    curves = {}
    for done, (name, estimator) in enumerate(ESTIMATORS.items()):
        if time.monotonic() - begun > SILENCE:
            place.progress(done / len(ESTIMATORS), f"Measuring {estimator.title}")
        curves[name] = curves_of(config, name)
    place.empty()
    return curves
