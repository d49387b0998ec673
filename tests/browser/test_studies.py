"""Studies in a real browser: one is begun and watched, a run of it is opened, and a link brings it back."""

import re
from urllib.parse import parse_qs, urlparse

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PHONE, Open, settle
from tests.browser.live import button, poll, press

SHORT = "/studies?st_taus=0.5+2&st_seeds=1&st_epochs=20"
# The lines of a figure with their points, and where its rule stands.
PICTURE = (
    "(host) => [host.data.map(({ name, x, y }) => [name, x, y]), host.layout.shapes.map(({ x0 }) => x0)]"
)
ROW, MARK = 35, 17


def losses(page: Page) -> Locator:
    return page.locator(".st-key-study_losses [data-testid=figure]")


def told(page: Page) -> Locator:
    return page.get_by_test_id("stProgress")


def chosen(page: Page) -> str:
    return page.get_by_role("combobox", name="Study").input_value()


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlparse(page.url).query)


def begin(page: Page) -> None:
    press(page, "Try your own")
    press(page, "Start")
    expect(page.get_by_role("button", name="Start", exact=True)).to_have_count(0)


def points(page: Page) -> int:
    """How many runs the main picture has."""
    return int(
        losses(page).evaluate(
            "(host) => host.data.flatMap(({ mode, x }) => mode === 'markers' ? x : []).length"
        )
    )


def test_a_study_is_begun_watched_and_one_of_its_runs_is_opened(open_page: Open) -> None:
    page = open_page(SHORT)
    begin(page)
    expect(told(page)).to_contain_text("Run ")
    assert chosen(page) == "yours"
    # The picture fills by itself: of the relaxed estimator each run is two dots.
    poll(page, lambda: 0 < points(page) <= 4, "a run in the picture")
    expect(told(page)).to_contain_text("Done: 4 runs.", timeout=60_000)
    poll(page, lambda: points(page) == 6, "all runs in the picture")
    expect(button(page, "Stop")).to_have_count(0)

    page.reload()
    settle(page)
    assert chosen(page) == "yours"
    assert page.get_by_test_id("stAlert").count() == 0
    assert points(page) == 6

    press(page, "Open this run")
    expect(page.get_by_role("heading", name="Inside a discrete code")).to_be_visible()
    settle(page)
    title = "Gumbel-Softmax, τ = 0.5, seed 0"
    expect(page.get_by_role("combobox", name="Model", exact=True)).to_have_value(title)
    assert query(page)["code_model"] == [title]
    assert page.get_by_test_id("stAlert").count() == 0


def test_a_study_can_be_stopped(open_page: Open) -> None:
    page = open_page("/studies?st_epochs=100")
    begin(page)
    expect(told(page)).to_contain_text("Run 1 of 16")
    press(page, "Stop")
    expect(told(page)).to_contain_text("Stopped after 0 of 16 runs.")
    settle(page)


def test_a_link_brings_the_same_picture(open_page: Open) -> None:
    mine = open_page("/studies")
    mine.get_by_text("ReinMax", exact=True).first.click()
    settle(mine)
    mine.get_by_text("test set", exact=True).click()
    settle(mine)
    slider = mine.get_by_role("slider", name="Temperature τ")
    slider.press("ArrowRight")
    settle(mine)
    expect(losses(mine)).to_have_attribute("aria-label", re.compile("At tau 2: "))
    assert query(mine) == {"study_estimator": ["ReinMax"], "study_loss": ["test set"], "study_tau": ["2.0"]}
    yours = open_page(mine.url.removeprefix(mine.url.split("/studies")[0]))
    assert losses(yours).evaluate(PICTURE) == losses(mine).evaluate(PICTURE)
    assert losses(yours).get_attribute("aria-label") == losses(mine).get_attribute("aria-label")


def test_the_form_is_in_the_link_too(open_page: Open) -> None:
    page = open_page("/studies")
    press(page, "Try your own")
    page.get_by_role("button", name="Gumbel-Rao", exact=True).click()
    field = page.get_by_role("textbox", name="Temperatures")
    field.fill("2 4")
    field.press("Enter")
    expect(page.get_by_text("12 runs of 300 steps.")).to_be_visible()
    poll(page, lambda: "st_taus" in query(page), "the temperatures in the address")
    assert query(page)["st_estimators"] == ["Gumbel-Softmax", "ReinMax", "Gumbel-Rao"]
    # To another page, in the session, and from there to another browser.
    page.keyboard.press("Escape")
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Noise").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("oise")
    settle(page)
    other = open_page(f"/studies?{urlparse(page.url).query}")
    press(other, "Try your own")
    expect(other.get_by_text("12 runs of 300 steps.")).to_be_visible()
    assert other.get_by_test_id("stAlert").count() == 0


def test_on_a_phone_a_study_can_be_started_without_scrolling_the_form(open_page: Open) -> None:
    page = open_page("/studies", viewport=PHONE, has_touch=True, is_mobile=True)
    press(page, "Try your own")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_in_viewport(ratio=1)


def test_on_a_phone_the_equation_is_whole(open_page: Open) -> None:
    path = "/studies?study=shipped:+temperature-mnist&study_tau=5"
    page = open_page(path, viewport=PHONE, has_touch=True, is_mobile=True)
    formula = page.locator(".katex-html .base").last
    formula.scroll_into_view_if_needed()
    box = formula.bounding_box()
    assert box
    assert 0 <= box["x"] < box["x"] + box["width"] <= PHONE["width"]


def test_a_marked_line_is_the_run_to_open(open_page: Open) -> None:
    page = open_page("/studies?study_tau=5")
    table = page.locator("[data-testid=stDataFrame] canvas").first
    table.scroll_into_view_if_needed()
    settle(page)
    box = table.bounding_box()
    assert box
    expect(page.get_by_text("Gumbel-Softmax, τ = 5, seed 0.")).to_be_visible()
    page.mouse.click(box["x"] + MARK, box["y"] + 2 * ROW + MARK)
    expect(page.get_by_text("Gumbel-Softmax, τ = 5, seed 1.")).to_be_visible()
    # Only the first seed's weights ship.
    expect(button(page, "Train this run again")).to_be_visible()
    press(page, "Train this run again")
    expect(page.get_by_role("heading", name="Watch a discrete autoencoder learn")).to_be_visible()
    expect(told(page)).to_contain_text("Done: 300 steps.", timeout=60_000)
    settle(page)
