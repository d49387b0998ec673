"""Inside a code: clicks and keys on the cells, what they draw, what a link carries, a drawing of your own."""

import re
from collections.abc import Callable
from typing import Literal
from urllib.parse import quote

import pytest
import torch
from playwright.sync_api import Locator, Page, expect

from gumbel_core.checkpoints import load
from gumbel_core.vae.codes import pictures_of
from gumbel_core.vae.views import as_bytes
from tests.browser.codes import (
    DIGITS_LATENTS,
    DIGITS_SHAPE,
    LATENT,
    ONE,
    OPACITY,
    OTHER,
    PATH,
    another,
    answered,
    cell,
    cells,
    changes,
    chosen,
    decoded,
    draw_with_a_finger,
    draw_with_the_mouse,
    equation,
    flip,
    ink,
    inked_rows,
    open_pad,
    path_of,
    picture,
    query,
    sheet,
    type_changes,
    with_change,
)
from tests.browser.conftest import ROOT, Open, settle, wait_until
from tests.browser.live import button, poll, press
from tests.browser.test_pages import IMAGE, assert_nothing_came_alive


def test_a_click_changes_one_latent_and_all_that_shows_it(open_page: Open) -> None:
    page = open_page(PATH)
    code, pixels, cost = chosen(page), decoded(page), equation(page)
    category = flip(page, LATENT)
    assert chosen(page) == with_change(code, LATENT, category)
    expect(changes(page)).to_have_value(f"{LATENT + 1}:{category + 1}")
    assert query(page)["code_edits"] == [f"{LATENT + 1}:{category + 1}"]
    assert decoded(page) != pixels
    assert equation(page) != cost
    expect(cells(page)).to_have_attribute("data-selected", str(LATENT))


@pytest.mark.parametrize("name", ["mnist", "digits"])
def test_the_picture_is_what_the_core_decodes(open_page: Open, name: str) -> None:
    page = open_page(f"{PATH}?code_model={quote(f'shipped: {name}')}")
    model = load(ROOT / "checkpoints" / name).model()
    for latent in (LATENT, OTHER):
        flip(page, latent)
        core = as_bytes(pictures_of(model, torch.tensor([chosen(page)])))[0]
        # In a batch of another size a sum may round otherwise, and a byte with it.
        seen = torch.tensor(picture(page, "decoded").evaluate(OPACITY))
        torch.testing.assert_close(seen, torch.from_numpy(core).long(), rtol=0, atol=1)


def test_a_link_brings_the_changed_code_to_another_browser(open_page: Open) -> None:
    mine = open_page(f"{PATH}?code_image=7&code_seed=3")
    flip(mine, LATENT)
    flip(mine, OTHER)
    yours = open_page(path_of(mine))
    assert chosen(yours) == chosen(mine)
    assert decoded(yours) == decoded(mine)
    assert equation(yours) == equation(mine)
    assert changes(yours).input_value() == changes(mine).input_value()


def test_undo_and_the_encoders_bring_back_what_was_there(open_page: Open) -> None:
    page = open_page(PATH)
    expect(button(page, "Undo")).to_be_disabled()

    def seen() -> tuple[list[int], str, str]:
        return chosen(page), decoded(page), equation(page)

    own = seen()
    flip(page, LATENT)
    once = seen()
    flip(page, OTHER)
    twice = seen()
    # The same latent a second time: undone, it goes back to its first change and not to the encoder's.
    cell(page, LATENT, 2 if once[0][LATENT] != 2 else 3).click()
    answered(page)
    assert len({decoded(page), *(pixels for _, pixels, _ in (own, once, twice))}) == 4
    for before in (twice, once, own):
        press(page, "Undo")
        expect(cells(page)).to_have_attribute("data-chosen", ",".join(map(str, before[0])))
        settle(page)
        assert seen() == before
    expect(button(page, "Undo")).to_be_disabled()
    flip(page, LATENT)
    flip(page, OTHER)
    press(page, "The encoder's")
    expect(changes(page)).to_have_value("")
    settle(page)
    assert seen() == own
    assert "code_edits" not in query(page)


def test_two_quick_clicks_are_both_taken(open_page: Open) -> None:
    page = open_page(PATH)
    code = chosen(page)
    wanted = {latent: another(page, latent) for latent in (LATENT, OTHER)}
    # One task of the browser: no answer can come between.
    page.evaluate(
        "cells => cells.forEach((cell) => cell.dispatchEvent(new MouseEvent('click', { bubbles: true })))",
        [cell(page, latent, category).element_handle() for latent, category in wanted.items()],
    )
    expect(changes(page)).to_have_value(
        ", ".join(f"{latent + 1}:{category + 1}" for latent, category in wanted.items())
    )
    answered(page)
    assert chosen(page) == [wanted.get(latent, own) for latent, own in enumerate(code)]


def test_the_arrow_keys_and_enter_flip(open_page: Open) -> None:
    page = open_page(PATH)
    code = chosen(page)
    grid = page.locator(".grid")
    grid.focus()
    # From wherever the cursor begins to the first latent's label, and from there to latent 3, category 2.
    for key in ["PageUp", "Home", "ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight"]:
        page.keyboard.press(key)
    assert page.locator(".readout").inner_text().startswith("latent 3, category 2:")
    assert chosen(page) == code
    category = 1
    if code[2] == category:
        page.keyboard.press("ArrowRight")
        category = 2
    page.keyboard.press("Enter")
    answered(page)
    assert chosen(page) == with_change(code, 2, category)
    expect(changes(page)).to_have_value(f"3:{category + 1}")
    # Where the keys were they stay: the next one needs no new way in.
    expect(grid).to_be_focused()
    page.keyboard.press("ArrowDown")
    assert page.locator(".readout").inner_text().startswith("latent 4, category")


def test_a_rows_label_chooses_the_latent_that_is_swept(open_page: Open) -> None:
    page = open_page(PATH)
    code, row = chosen(page), sheet(page, "code_sweep")
    # One that is not swept already.
    latent = LATENT if cells(page).get_attribute("data-selected") == str(OTHER) else OTHER
    pixels = ink(row)
    page.locator(f".gutter[data-latent='{latent}']").click()
    answered(page)
    words = re.compile(f"^Latent {latent + 1} in each of its")
    expect(row).to_have_attribute("aria-label", words)
    expect(page.get_by_text(words)).to_be_visible()
    expect(cells(page)).to_have_attribute("data-selected", str(latent))
    assert ink(row) != pixels
    # To look at a latent changes nothing.
    assert chosen(page) == code
    expect(changes(page)).to_have_value("")


def test_a_finger_flips_a_cell(open_page: Open) -> None:
    page = open_page(PATH, has_touch=True)
    code, category = chosen(page), another(page, LATENT)
    cell(page, LATENT, category).tap()
    answered(page)
    assert chosen(page) == with_change(code, LATENT, category)


def of_its_class(page: Page) -> Locator:
    """What only an image with a class has: neighbours of it."""
    return page.get_by_text("are of its class")


@pytest.mark.parametrize("draw", [draw_with_the_mouse, draw_with_a_finger])
def test_a_drawing_is_encoded_until_it_is_cleared(open_page: Open, draw: Callable[[Locator], None]) -> None:
    page = open_page(PATH, has_touch=True)
    expect(of_its_class(page)).to_have_count(2)
    flip(page, LATENT)
    canvas = open_pad(page)
    draw(canvas)
    expect(of_its_class(page)).to_have_count(0)
    settle(page)
    # A finger that scrolled the page would have drawn but the beginning. The pen is round.
    heights = [down for _, down in ONE]
    assert inked_rows(canvas) == pytest.approx((min(heights), max(heights)), abs=0.06)
    # Changes to the test image's code would say nothing of the drawing's.
    expect(changes(page)).to_have_value("")
    drawing, its_picture = ink(picture(page, "original")), decoded(page)
    press(page, "Clear")
    expect(of_its_class(page)).to_have_count(2)
    settle(page)
    assert drawing != ink(picture(page, "original"))
    assert its_picture != decoded(page)
    # The test image is the one that was there before.
    untouched = open_page(PATH)
    assert ink(picture(page, "original")) == ink(picture(untouched, "original"))
    assert decoded(page) == decoded(untouched)


def test_another_image_takes_the_drawings_place_and_wipes_the_pad(open_page: Open) -> None:
    page = open_page(PATH)
    draw_with_the_mouse(open_pad(page))
    expect(of_its_class(page)).to_have_count(0)
    expect(page.get_by_test_id("pad")).to_have_attribute("data-strokes", "1")
    settle(page)
    drawing = ink(picture(page, "original"))
    # By key: a click elsewhere closes the box, and the pad's strokes go with it.
    page.locator(".st-key-code_class").get_by_role("radio", name="7", exact=True).press("Enter")
    expect(page.get_by_text("are of its class, 7.")).to_have_count(2)
    settle(page)
    assert ink(picture(page, "original")) != drawing
    expect(page.get_by_test_id("pad")).to_have_attribute("data-strokes", "0")


def press_key(page: Page, role: Literal["slider", "spinbutton"], name: str, key: str) -> None:
    page.get_by_role(role, name=name).press(key)


@pytest.mark.parametrize(
    ("move", "key"),
    [
        (lambda page: press_key(page, "slider", "Temperature τ of the soft samples", "End"), "code_means"),
        (lambda page: page.get_by_text("random", exact=True).click(), "code_walk"),
        (lambda page: press_key(page, "spinbutton", "To the test image", "ArrowUp"), "code_walk"),
        (lambda page: press(page, "New samples"), "code_prior"),
        (lambda page: press(page, "Redraw that latent"), "code_redrawn"),
    ],
    ids=["temperature", "order", "target", "samples", "redraw"],
)
def test_a_move_redraws_its_picture_in_place(open_page: Open, move: Callable[[Page], None], key: str) -> None:
    page = open_page(PATH)
    shown = sheet(page, key)
    code, pixels, drawn = chosen(page), ink(shown), int(shown.get_attribute("data-drawn") or 0)
    shown.evaluate("canvas => { canvas.mine = true }")
    move(page)
    poll(page, lambda: ink(shown) != pixels, f"another picture of {key}")
    settle(page)
    assert int(shown.get_attribute("data-drawn") or 0) > drawn
    assert shown.evaluate("canvas => canvas.mine") is True
    # The code of the image is nobody else's to change.
    assert chosen(page) == code


def test_the_order_of_the_walk_changes_its_curves(open_page: Open) -> None:
    page = open_page(PATH)
    losses = page.locator(".st-key-code_walk_losses [data-testid=figure]")
    losses.scroll_into_view_if_needed()
    settle(page)
    curves = "host => host.data.map(({ y }) => [...y])"
    by_effect = losses.evaluate(curves)
    page.get_by_text("random", exact=True).click()
    poll(page, lambda: losses.evaluate(curves) != by_effect, "another walk")
    assert query(page)["code_order"] == ["random"]
    settle(page)
    # Both walks begin and end at the same codes.
    for one, other in zip(by_effect, losses.evaluate(curves), strict=True):
        assert [one[0], one[-1]] == pytest.approx([other[0], other[-1]], abs=1e-3)


def test_another_model_has_a_code_of_its_own(open_page: Open) -> None:
    page = open_page(PATH)
    flip(page, LATENT)
    box = page.get_by_role("combobox", name="Model", exact=True)
    box.click()
    page.get_by_role("option", name="shipped: digits").click()
    expect(page.locator(".gutter")).to_have_count(DIGITS_LATENTS)
    settle(page)
    expect(changes(page)).to_have_value("")
    assert picture(page, "decoded").evaluate("canvas => [canvas.width, canvas.height]") == DIGITS_SHAPE
    assert query(page)["code_model"] == ["shipped: digits"]
    flip(page, LATENT)
    yours = open_page(path_of(page))
    assert chosen(yours) == chosen(page)
    assert decoded(yours) == decoded(page)


def go_to(page: Page, name: str) -> None:
    page.get_by_test_id("stSidebarNavLink").filter(has_text=name).click()
    wait_until(page, f"document.title.includes('{name}')")
    settle(page)


def test_the_code_is_there_again_after_another_page(open_page: Open) -> None:
    page = open_page(PATH)
    category = flip(page, LATENT)
    code, pixels = chosen(page), decoded(page)
    go_to(page, "Sampling")
    go_to(page, "Inside a code")
    assert (chosen(page), decoded(page)) == (code, pixels)
    assert query(page)["code_edits"] == [f"{LATENT + 1}:{category + 1}"]
    page.go_back()
    settle(page)
    page.go_back()
    settle(page)
    assert page.get_by_test_id("stException").count() == 0


# Which texts can be read is for the core's tests.
@pytest.mark.parametrize("text", ["five:1", "99:1", "5:1, 5:0", ",".join(101 * ["5:1"])])
def test_changes_that_cannot_be_read_leave_the_encoders_code(open_page: Open, text: str) -> None:
    page = open_page(PATH)
    own, pixels = chosen(page), decoded(page)
    type_changes(page, text)
    said = page.get_by_test_id("stAlert")
    expect(said).to_have_count(1)
    assert said.inner_text().strip().endswith(".")
    assert (chosen(page), decoded(page)) == (own, pixels)
    type_changes(page, f"{LATENT + 1}:{another(page, LATENT) + 1}")
    expect(said).to_have_count(0)
    assert decoded(page) != pixels


@pytest.mark.parametrize("field", ["code_edits", "code_model"])
def test_a_link_is_never_markup(open_page: Open, field: str) -> None:
    untouched = open_page(PATH)
    page = open_page(f"{PATH}?{field}={quote(IMAGE)}")
    assert_nothing_came_alive(page)
    assert page.get_by_role("combobox", name="Model", exact=True).input_value() == "shipped: mnist"
    assert (chosen(page), decoded(page)) == (chosen(untouched), decoded(untouched))
