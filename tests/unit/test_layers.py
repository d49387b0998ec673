"""Who may import whom (DESIGN.md), seen from fresh interpreters: a grep does not show what a module pulls in.

One interpreter for each group of modules. Each prints what it ended up with in `sys.modules`.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def modules(folder: str) -> list[str]:
    """The dotted names of the modules in a folder, found without importing any. A `__main__` is a command."""
    paths = sorted((ROOT / folder).rglob("*.py"))
    parts = [path.relative_to(ROOT).with_suffix("").parts for path in paths if path.stem != "__main__"]
    return [".".join(names).removesuffix(".__init__") for names in parts]


FIGURES = modules("gumbel_core/figures")
CORE = [name for name in modules("gumbel_core") if name not in FIGURES]
LESSONS = [path for path in sorted((ROOT / "pages").glob("*.py")) if not path.stem.startswith("_")]


def loaded(code: str) -> set[str]:
    """The names in `sys.modules` after the code has run in a fresh interpreter at the root."""
    code += "\nimport sys\nprint(*[name for name, module in sys.modules.items() if module is not None])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def packages(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def imports(path: Path) -> set[str]:
    """The modules that a file names in its import statements, wherever they stand."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names.add(node.module or "")
    return names


def strings(path: Path) -> set[str]:
    """The text constants of a file."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_the_lists_found_the_modules() -> None:
    assert {"gumbel_core", "gumbel_core.sampling", "gumbel_core.draw"} <= set(CORE)
    assert {"gumbel_core.figures", "gumbel_core.figures.layout"} <= set(FIGURES)
    assert "sampling" in {path.stem for path in LESSONS}


def test_the_core_knows_neither_streamlit_nor_its_figures_nor_the_pages() -> None:
    names = loaded("\n".join(f"import {name}" for name in CORE))
    assert set(CORE) <= names
    assert not packages(names) & {"streamlit", "plotly", "pages", "app"}
    assert not names & set(FIGURES)


def test_figures_need_neither_torch_nor_streamlit_nor_the_rest_of_the_core() -> None:
    # Importing `gumbel_core.figures` runs `gumbel_core/__init__.py` first, which offers the samplers and so
    # imports torch whatever the figures do. A bare parent package of the same path takes its place here, and
    # torch, streamlit and the core's other modules are made unimportable: None in `sys.modules` raises
    # ImportError. What passes was drawn from NumPy and Plotly alone.
    blocked = ["torch", "streamlit", "pages", *(name for name in CORE if name != "gumbel_core")]
    names = loaded(
        "import sys, types\n"
        "parent = types.ModuleType('gumbel_core')\n"
        "parent.__path__ = ['gumbel_core']\n"
        "sys.modules['gumbel_core'] = parent\n"
        f"sys.modules.update(dict.fromkeys({blocked!r}))\n" + "\n".join(f"import {name}" for name in FIGURES)
    )
    assert set(FIGURES) <= names


@pytest.mark.parametrize("name", FIGURES)
def test_figures_name_only_numpy_plotly_and_each_other(name: str) -> None:
    # The interpreter above does not tell a figure's import of SciPy from Plotly's own: the statements do.
    path = ROOT.joinpath(*name.split("."))
    named = imports(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))
    assert packages(named) <= {"numpy", "plotly", "gumbel_core"} | sys.stdlib_module_names
    assert {module for module in named if module.startswith("gumbel_core")} <= set(FIGURES)


def test_no_page_imports_another() -> None:
    # Pages are scripts: each is run as Streamlit runs it, without the name it would have as a module. So a
    # `pages.<lesson>` that is loaded afterwards was imported by one of them, or by a component.
    names = loaded(
        "from streamlit.testing.v1 import AppTest\n"
        f"for page in {[str(path) for path in LESSONS]!r}:\n"
        "    AppTest.from_file(page, default_timeout=60).run()"
    )
    allowed = {"pages", *modules("pages/components")}
    assert {"pages.components.controls", "gumbel_core.sampling"} <= names
    assert {name for name in names if name.partition(".")[0] == "pages"} <= allowed
    assert "app" not in names
    for page in LESSONS:
        assert {name for name in imports(page) if name.partition(".")[0] == "pages"} <= allowed


def test_the_app_knows_only_the_frame() -> None:
    names = loaded("import app")
    assert not packages(names) & {"pages", "gumbel_core", "torch", "scipy"}
    assert {text for text in strings(ROOT / "app.py") if text.startswith("pages/")} == {"pages/_frame.py"}


def test_the_frame_names_every_page_by_path() -> None:
    frame = ROOT / "pages/_frame.py"
    assert {text for text in strings(frame) if text.endswith(".py")} == {page.name for page in LESSONS}
    assert packages(imports(frame)) <= {"pages", "streamlit"} | sys.stdlib_module_names
