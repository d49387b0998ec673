"""The studies that there are to look at: what ships, what the command has made here, and the owner's own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from gumbel_core.checkpoints import Checkpoint
from gumbel_core.checkpoints import load as load_checkpoint
from gumbel_core.studies.folder import RESULTS
from gumbel_core.studies.grid import RunKey, config_of
from gumbel_core.studies.live import LiveStudy
from gumbel_core.studies.results import Results, StudyError, read_results
from pages.components.live_runs import on_disk, runs
from pages.components.words import plain

# What their titles begin with -> where they lie. The command writes under the folder that it is called in.
PLACES: Mapping[str, Path] = {"shipped": Path(__file__).parents[2] / "studies", "runs": Path("runs")}
YOURS = "yours"
MADE_HERE = "the page Studies"


@dataclass(frozen=True)
class Shelved:
    """A study by its title: on the disk in a folder, or the owner's, which may still go on."""

    title: str
    found: Results | LiveStudy
    folder: Path | None = None

    @property
    def results(self) -> Results:
        """As far as it has come. What is learned here is not kept, so nothing says from which images."""
        if isinstance(self.found, LiveStudy):
            return self.found.results(MADE_HERE, "")
        return self.found

    @property
    def live(self) -> LiveStudy | None:
        return self.found if isinstance(self.found, LiveStudy) else None

    @property
    def moves(self) -> bool:
        return self.live is not None and not self.live.phase.ended

    def has_weights(self, key: RunKey) -> bool:
        if self.folder:
            return (self.folder / key.name).is_dir()
        return self.live is not None and self.live.state(key) is not None

    def checkpoint(self, key: RunKey) -> Checkpoint:
        """What a run has learned. Raises ValueError for what cannot be read, or is another run."""
        config = config_of(self.results.study, key)
        if self.folder:
            checkpoint = load_checkpoint(self.folder / key.name)
        else:
            state = self.live.state(key) if self.live else None
            if state is None:
                raise ValueError("This run's weights are not kept any more.")
            checkpoint = Checkpoint(state, on_disk(config.dataset, config.pixels).sha256, MADE_HERE, {})
        if checkpoint.state.config != config:
            raise ValueError(f"What lies in {key.name} is another run than the study's.")
        return checkpoint


def shelf(owner: str) -> dict[str, Shelved]:
    """By title, the owner's first. What is left out is told."""
    found = [
        *_owners(owner),
        *(study for kind, place in PLACES.items() for study in _on_the_disk(kind, place)),
    ]
    return {study.title: study for study in found}


def _owners(owner: str) -> Iterator[Shelved]:
    if live := runs().study(owner):
        yield Shelved(YOURS, live)


def _on_the_disk(kind: str, place: Path) -> Iterator[Shelved]:
    for path in sorted(place.glob(f"*/{RESULTS}")):
        try:
            stamp = path.stat()
            results = _read(str(path.resolve()), stamp.st_mtime_ns, stamp.st_size)
        except (StudyError, OSError) as error:
            st.error(f"A study is left out. {plain(str(error))}", icon=":material/broken_image:")
            continue
        title = f"{kind}: {path.parent.name}"
        if results.study.temperatures:
            yield Shelved(title, results, path.parent)
        else:
            st.caption(f"Left out: {plain(title)}. It names no temperatures to compare.")


# Anew, once a file has changed.
@st.cache_resource(max_entries=16, show_spinner=False)
def _read(path: str, changed: int, size: int) -> Results:
    return read_results(Path(path))
