"""The reel: a training run's reconstructions, drawn and moved through in the browser without the server."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from gumbel_core.vae.views import Frame
from pages.components.sheet import encoded
from pages.components.sources import source

_reel = st.components.v2.component(
    "reel",
    html="""
    <div class="reel" data-testid="reel">
      <div class="rows" role="img">
        <span>original</span><canvas data-row="originals"></canvas>
        <span>soft</span><canvas data-row="soft"></canvas>
        <span>hard</span><canvas data-row="hard"></canvas>
      </div>
      <div class="bar">
        <input type="range" min="0" step="1" aria-label="Step of the pictures" data-testid="reel-range">
        <span class="count">step <b></b><span class="newest">, latest</span></span>
        <button type="button">Latest</button>
      </div>
    </div>
    """,
    css=source("reel.css"),
    js=source("mounts.js", "pictures.js", "reel.js"),
)


def reel(
    run: str, frames: Sequence[Frame], shape: tuple[int, int], *, moment: int | None, key: str = "reel"
) -> None:
    """Draw the frames of a run, oldest first, at a moment: a step, or None for the latest, whatever comes.

    Where the visitor lets the thumb go, `_moment` in the session takes its place. `run` is a name of ours
    and `shape` is (height, width). A page has one reel. A frame is sixteen kilobytes: each is sent once, and
    all of them again after `send_reel`. Without a frame nothing is drawn.
    """
    if not frames:
        return
    if st.session_state.get("_reel_run") != run:
        send_reel()
    # A run that was paused or ended between two steps has two frames of one step: they show the same.
    kept = {frame.step: frame for frame in frames}
    sent: frozenset[int] = st.session_state["_reel_sent"]
    st.session_state["_reel_run"], st.session_state["_reel_sent"] = run, frozenset(kept)
    data = {
        "run": run,
        "shape": list(shape),
        "steps": list(kept),
        "frames": {str(step): _pictures(kept[step], shape) for step in kept if step not in sent},
        "moment": moment,
        "heard": st.session_state.get("_reel_heard", 0),
    }
    originals = {} if sent else {"originals": encoded(frames[0].originals, shape)}
    _reel(
        key=key,
        data=data | originals,
        on_moment_change=_hearing(key, "moment", _take_moment),
        on_missing_change=_hearing(key, "missing", lambda _: send_reel()),
    )


def send_reel() -> None:
    """Let the next reel carry all its frames: at a run of the whole page, and where the browser lacks one."""
    st.session_state["_reel_sent"] = frozenset()


def frame_at(frames: Sequence[Frame], moment: int | None) -> Frame:
    """The frame that the reel shows at a moment: the newest one that is not after it.

    Old frames are thinned out while a run goes on, so that a moment may have lost its own.
    """
    if moment is None:
        return frames[-1]
    return next((frame for frame in reversed(frames) if frame.step <= moment), frames[0])


def _pictures(frame: Frame, shape: tuple[int, int]) -> dict[str, str]:
    return {"soft": encoded(frame.soft, shape), "hard": encoded(frame.hard, shape)}


def _hearing(key: str, word: str, take: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
    """A callback that takes a word and counts it: the answer to an older one must not move the reel back."""

    def hear() -> None:
        said = st.session_state[key][word]
        # Two words of one rerun are heard in any order.
        heard = st.session_state.get("_reel_heard", 0)
        st.session_state["_reel_heard"] = max(heard, int(said["count"]))
        take(said)

    return hear


def _take_moment(said: dict[str, Any]) -> None:
    """Take the moment, unless it was said of a run that has gone."""
    if said["run"] == st.session_state.get("_reel_run"):
        st.session_state["_moment"] = None if said["step"] is None else int(said["step"])
