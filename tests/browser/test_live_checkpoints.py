"""Checkpoints on the training page: a run is saved, taken along, brought elsewhere and gone on from."""

import re
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import torch
from playwright.sync_api import FilePayload, Page, expect

from gumbel_core.packing import unpacked
from tests.browser.conftest import ROOT, Open, settle
from tests.browser.live import PATH, SHIPPED_STEP, pictured_step, poll, press, reel, stop, told

SHIPPED = ROOT / "checkpoints" / "digits"


def open_box(page: Page) -> None:
    page.get_by_text("Keep a run, take it along, bring one, go on from one").click()
    expect(page.get_by_role("combobox", name="Checkpoint")).to_be_visible()


def chosen(page: Page) -> str:
    return page.get_by_role("combobox", name="Checkpoint").input_value()


def bring(page: Page, **files: bytes) -> None:
    """Choose files for the upload. Their types are what a browser makes of their names."""
    types = {".zip": "application/zip", ".json": "application/json"}
    unknown = "application/octet-stream"
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        [
            FilePayload(name=name, mimeType=types.get(Path(name).suffix, unknown), buffer=content)
            for name, content in files.items()
        ]
    )


def zipped(**members: bytes) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def downloaded(page: Page) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name="Download", exact=True).click()
    assert download.value.suggested_filename.endswith(".zip")
    return Path(download.value.path()).read_bytes()


def test_a_run_is_saved_taken_along_and_gone_on_from_elsewhere(
    train: Callable[..., Page], open_page: Open
) -> None:
    page = train()
    open_box(page)
    # While it trains.
    press(page, "Save this run")
    expect(page.get_by_role("combobox", name="Checkpoint")).to_have_value(re.compile(r"run 1 at step [\d,]+"))
    title = chosen(page)
    saved = int(title.rpartition(" ")[2].replace(",", ""))
    stop(page)
    settle(page)
    content = downloaded(page)
    with zipfile.ZipFile(BytesIO(content)) as archive:
        weights, card = sorted(archive.namelist(), reverse=True)
    assert card == "card.json"
    assert re.fullmatch(r"weights-[0-9a-f]{16}\.safetensors", weights)
    state = unpacked({"run.zip": content}).state
    assert (state.step, state.config.epochs) == (saved, 300)

    elsewhere = open_page(PATH)
    open_box(elsewhere)
    bring(elsewhere, **{"run.zip": content})
    expect(elsewhere.get_by_role("combobox", name="Checkpoint")).to_have_value(
        f"brought: digits at step {saved:,}"
    )
    expect(reel(elsewhere)).to_have_attribute("data-step", str(saved))
    assert elsewhere.get_by_test_id("stAlert").count() == 0
    press(elsewhere, "Go on from it")
    expect(told(elsewhere)).to_contain_text("of 9,000")
    poll(elsewhere, lambda: pictured_step(elsewhere) > saved, "a picture after the checkpoint's")
    # Its first picture is the checkpoint's, not that of a fresh run.
    elsewhere.get_by_test_id("reel-range").press("Home")
    expect(reel(elsewhere)).to_have_attribute("data-step", str(saved))
    assert stop(elsewhere) > saved


def hostile() -> dict[str, tuple[str, bytes, str]]:
    """name of the case -> a file's name, its content, and what is said of it"""
    pickled = BytesIO()
    torch.save({"weights": torch.zeros(3)}, pickled)
    no_part = "is no part of a checkpoint"
    return {
        "random bytes": ("x.zip", bytes(range(256)) * 40, "The upload is no ZIP, or a damaged one."),
        "a way out": ("x.zip", zipped(**{"../card.json": b"{}"}), no_part),
        "markup": ("x.zip", zipped(**{"<b>bold</b>": b"{}"}), f"'<b>bold</b>' {no_part}"),
        "a pickle": ("run.zip", pickled.getvalue(), "nothing is unpickled here."),
        "a card alone": ("card.json", (SHIPPED / "card.json").read_bytes(), "1 and 0."),
        "a bomb": (
            "bomb.zip",
            zipped(**{"card.json": bytes(10_000_000), f"weights-{16 * '0'}.safetensors": b""}),
            "card.json has 10,000,000 bytes: at most 1,048,576 are read.",
        ),
    }


def test_what_is_no_checkpoint_is_refused_in_a_sentence(open_page: Open) -> None:
    page = open_page(PATH)
    open_box(page)
    said, uploader = page.get_by_test_id("stAlert"), page.get_by_test_id("stFileUploader")
    for name, content, words in hostile().values():
        bring(page, **{name: content})
        expect(said).to_have_count(1)
        expect(said).to_contain_text(words)
        sentence = said.inner_text().strip()
        assert sentence.endswith(".")
        assert "Traceback" not in sentence
        uploader.get_by_role("button", name=f"Remove {name}").click()
        expect(said).to_have_count(0)
    assert page.locator("b:text-is('bold')").count() == 0
    # The widget itself takes no such name, and the page hears nothing of it.
    bring(page, **{"x.exe": b"MZ"})
    expect(uploader.get_by_role("alert")).to_contain_text("not allowed")
    assert said.count() == 0
    # After all that, the two files of a checkpoint are read.
    bring(page, **{path.name: path.read_bytes() for path in SHIPPED.iterdir()})
    expect(page.get_by_role("combobox", name="Checkpoint")).to_have_value("brought: digits at step 4,500")
    expect(said).to_have_count(0)
    expect(reel(page)).to_have_attribute("data-step", SHIPPED_STEP)
