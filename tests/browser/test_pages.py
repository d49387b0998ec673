"""Every page in a real browser: first requests, links, bad input, phones, hostile text."""

from urllib.parse import parse_qs, quote, urlparse

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PHONE, Open, running_server, settle, wait_until

# The pages on which a distribution is typed, and all.
TYPED = ["/", "/many_draws", "/temperature", "/noise"]
PAGES = [*TYPED, "/toy_argmax", "/gradients", "/structures", "/vae_training", "/vae_codes", "/studies"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_can_be_a_fresh_servers_first_request(browser: Browser, path: str) -> None:
    with running_server() as server:
        page = browser.new_page()
        page.goto(server.address + path)
        settle(page)
        assert page.get_by_test_id("stSidebarNavLink").count() == len(PAGES)
        assert page.get_by_test_id("stException").count() == 0
        page.close()


# What reaches beyond the right edge. Equations, code and tables scroll by themselves; Plotly clips its own
# layers; Streamlit's sliders carry an unseen input for the keyboard.
TOO_WIDE = """
[...document.querySelectorAll('[data-testid=stMain] *')]
  .filter((node) => node.checkVisibility())
  .filter((node) => !node.closest('.katex, .js-plotly-plot, [data-testid=stCode], [data-testid=stDataFrame]'))
  .filter((node) => !node.closest('[data-testid=stSlider] input'))
  .filter((node) => node.getBoundingClientRect().right > innerWidth + 1)
  .map((node) => node.outerHTML.slice(0, 90))
"""


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_whole_width(open_page: Open, path: str, scheme: str) -> None:
    page = open_page(path, viewport=PHONE, has_touch=True, is_mobile=True, color_scheme=scheme)
    assert page.evaluate(TOO_WIDE) == []


# Figures out of sight say it, too. Icons are pictures as well, and have short names.
PICTURES = "[role=figure], [data-testid][role=img], [data-testid] > [role=img]"


@pytest.mark.parametrize("path", PAGES)
def test_every_picture_says_in_words_what_it_shows(open_page: Open, path: str) -> None:
    page = open_page(path)
    words = [
        picture.get_attribute("aria-label") or ""
        for picture in page.locator(PICTURES).all()
        if picture.is_visible() and picture.get_attribute("data-testid") != "stIconMaterial"
    ]
    assert words
    assert [said for said in words if len(said) <= 30] == []


def test_a_link_reproduces_the_page_in_another_browser(open_page: Open) -> None:
    mine = open_page("/?logits=1,2,3&seed=3")
    for label, value in {"Temperature τ": "0.3", "Seed": "8", "Edited noise": "2: -1"}.items():
        field = mine.get_by_role("spinbutton" if label != "Edited noise" else "textbox", name=label)
        field.fill(value)
        field.press("Enter")
        settle(mine)
    mine.get_by_text("straight-through", exact=True).click()
    settle(mine)
    yours = open_page(mine.url.removeprefix(mine.url.split("/?")[0]))
    for attribute in ("data-relaxed", "data-winner"):
        assert yours.get_by_test_id("scrub").get_attribute(attribute) == mine.get_by_test_id(
            "scrub"
        ).get_attribute(attribute)
    assert yours.get_by_test_id("pipeline").inner_html() == mine.get_by_test_id("pipeline").inner_html()


def test_what_is_typed_is_what_the_next_pages_show(open_page: Open) -> None:
    page = open_page("/")
    numbers = page.get_by_role("textbox", name="Numbers")
    numbers.fill("3 2 1 0")
    numbers.press("Enter")
    settle(page)
    for name in ("Many draws", "Temperature", "Noise", "Sampling"):
        page.get_by_test_id("stSidebarNavLink").filter(has_text=name).click()
        wait_until(page, f"document.title.includes('{name}')")
        settle(page)
        assert page.get_by_role("textbox", name="Numbers").input_value() == "3 2 1 0"
        assert "logits=3+2+1+0" in page.url
    page.go_back()
    settle(page)
    assert page.get_by_test_id("stException").count() == 0


def test_what_a_link_brings_follows_to_the_next_page(open_page: Open) -> None:
    page = open_page("/?logits=3,1&seed=5&tau=0.4")
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Many draws").click()
    wait_until(page, "document.title.includes('Many draws')")
    settle(page)
    assert page.get_by_role("textbox", name="Numbers").input_value() == "3,1"
    assert page.get_by_role("spinbutton", name="Seed").input_value() == "5"
    brought = {"logits": ["3,1"], "seed": ["5"], "tau": ["0.4"], "preset": ["Your own"]}
    assert parse_qs(urlparse(page.url).query) == brought


def test_the_temperature_stays_at_hand_on_a_long_page(open_page: Open) -> None:
    page = open_page("/temperature")
    page.locator(".st-key-binary").scroll_into_view_if_needed()
    settle(page)
    box = page.get_by_test_id("scrub-range").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    settle(page)
    assert parse_qs(urlparse(page.url).query)["tau"] == ["10.0"]


def test_an_example_is_a_link_of_one_word(open_page: Open) -> None:
    page = open_page("/many_draws?preset=Next+token")
    assert page.get_by_role("textbox", name="Numbers").input_value().startswith("4.1, 3.6")
    assert page.get_by_text("mat", exact=True).first.is_visible()


def test_a_link_with_numbers_and_no_example_is_the_visitors_own(open_page: Open) -> None:
    # The README's link.
    page = open_page("/many_draws?kind=probabilities&logits=.7,.2,.1&names=a,b,c&draws=100000&tau=5")
    expect(page.get_by_role("textbox", name="Numbers")).to_have_value(".7,.2,.1")
    expect(page.get_by_role("combobox", name="Example")).to_have_value("Your own")
    assert page.get_by_test_id("stAlert").count() == 0


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("tau=0", "tau"),
        ("tau=-1", "tau"),
        ("tau=nan", "tau"),
        ("tau=1e9", "tau"),
        ("draws=0", "draws"),
        ("draws=1e12", "draws"),
        ("preset=nothing", "preset"),
        ("seed=one", "seed"),
        ("seed=1e400", "seed"),
    ],
)
def test_a_link_that_does_not_fit_is_told_once(open_page: Open, query: str, words: str) -> None:
    page = open_page(f"/many_draws?{query}")
    said = page.get_by_test_id("stAlert")
    assert said.count() == 1
    assert f"The link's {words}" in said.inner_text()
    page.get_by_role("button", name="New noise").first.click()
    page.get_by_role("button", name="Reset", exact=True).click()
    settle(page)
    assert said.count() == 0


def test_who_has_begun_a_run_before_is_told_of_a_link_too(open_page: Open) -> None:
    """A browser that knows its owner has the page run twice."""
    page = open_page("/many_draws")
    page.evaluate("localStorage.setItem('gumbel-owner', 'a'.repeat(32))")
    page.goto(f"{page.url}?tau=0")
    settle(page)
    expect(page.get_by_test_id("stAlert")).to_contain_text("The link's tau")


def test_a_long_count_leaves_the_word_about_its_link(open_page: Open) -> None:
    page = open_page("/many_draws?draws=1000000&tau=0")
    expect(page.get_by_role("heading", name="the argmax of 1,000,000 draws")).to_be_visible(timeout=60_000)
    settle(page)
    said = page.get_by_test_id("stAlert")
    expect(said).to_have_count(1)
    expect(said).to_contain_text("The link's tau")


@pytest.mark.parametrize(
    "text", ["", "a, b", "1,,2", "nan", "inf", "1e999", "1e308, -1e308", "-inf, -inf", ",".join("1" * 65)]
)
def test_a_text_that_cannot_be_read_keeps_the_last_picture(open_page: Open, text: str) -> None:
    page = open_page("/?logits=1,2")
    picture = page.get_by_test_id("pipeline").inner_html()
    numbers = page.get_by_role("textbox", name="Numbers")
    numbers.fill(text)
    numbers.press("Enter")
    settle(page)
    assert page.get_by_test_id("stAlert").count() == 1
    assert page.get_by_test_id("pipeline").inner_html() == picture


# Names are cut at 24 characters: each of these is whole.
IMAGE = "<img src onerror=hit=1>"
HOSTILE = (IMAGE, "<b>bold</b>", "[x](javascript:hit=1)")
# What any of them would have become. Locators look into shadow roots too.
LIVE = (
    "img[onerror], b:text-is('bold'), tspan[style*='bold']:text-is('bold'), "
    "a[href^='javascript'], a:text-is('x')"
)


def assert_nothing_came_alive(page: Page) -> None:
    assert page.evaluate("typeof window.hit") == "undefined"
    assert page.locator(LIVE).count() == 0


@pytest.mark.parametrize("path", TYPED)
def test_a_name_is_never_markup(open_page: Open, path: str) -> None:
    page = open_page(f"{path}?logits=1,2,3&names={quote(','.join(HOSTILE))}")
    # A figure out of sight is not drawn yet, and its texts are not there to be looked at.
    for figure in page.get_by_test_id("figure").all():
        figure.scroll_into_view_if_needed()
        settle(page)
    for name in HOSTILE:
        # Narrow panels cut a name to seven characters. Live, it would have lost its first.
        assert page.locator("svg text:visible", has_text=name[:7]).count() > 0
    assert_nothing_came_alive(page)


@pytest.mark.parametrize(
    ("path", "field", "text"),
    [
        # The comma makes it one entry, spaces and all.
        ("/", "logits", f"{IMAGE},"),
        ("/", "edits", IMAGE),
        ("/", "tau", IMAGE),
        ("/temperature", "corners", f"{IMAGE},"),
        ("/many_draws", "preset", IMAGE),
        ("/vae_codes", "code_edits", IMAGE),
        ("/studies", "study", IMAGE),
    ],
)
def test_a_link_is_quoted_and_never_markup(open_page: Open, path: str, field: str, text: str) -> None:
    page = open_page(f"{path}?{field}={quote(text)}")
    expect(page.get_by_test_id("stAlert")).to_contain_text(IMAGE)
    assert_nothing_came_alive(page)


def test_the_figures_follow_the_theme_in_place(open_page: Open) -> None:
    page = open_page("/many_draws", color_scheme="light")
    figure = page.get_by_test_id("figure").first
    label = figure.locator(".xtick text").first
    light = label.evaluate("label => getComputedStyle(label).fill")
    figure.evaluate("host => { host.mine = true }")
    page.emulate_media(color_scheme="dark")
    expect(label).not_to_have_css("fill", light)
    settle(page)
    assert figure.get_attribute("data-mounts") == "1"
    assert figure.evaluate("host => host.mine") is True


def test_moves_redraw_in_place_and_keep_the_zoom(open_page: Open) -> None:
    page = open_page("/many_draws")
    figure = page.get_by_test_id("figure").first
    box = figure.bounding_box()
    assert box
    across, down = (
        (lambda part: box["x"] + part * box["width"]),
        (lambda part: box["y"] + part * box["height"]),
    )
    page.mouse.move(across(0.4), down(0.5))
    page.mouse.down()
    page.mouse.move(across(0.7), down(0.7), steps=5)
    page.mouse.up()
    settle(page)
    shown = "host => [...host.layout.xaxis.range, ...host.layout.yaxis.range]"
    zoomed = figure.evaluate(shown)
    figure.evaluate("host => { host.mine = true }")
    drawn = int(figure.get_attribute("data-drawn") or 0)
    draws = page.get_by_role("slider", name="Draws")
    for key in ["ArrowLeft", "ArrowRight"] * 10:
        draws.press(key)
        settle(page)
    assert int(figure.get_attribute("data-drawn") or 0) >= drawn + 20
    assert figure.get_attribute("data-mounts") == "1"
    assert figure.evaluate("host => host.mine") is True
    assert figure.evaluate(shown) == zoomed


def test_the_table_writes_into_the_link(open_page: Open) -> None:
    page = open_page("/")
    page.get_by_role("button", name="Table").click()
    grid = page.locator("[data-testid=stDataFrame] canvas").first
    grid.wait_for()
    settle(page)
    box = grid.bounding_box()
    assert box
    # The first number: the second column of the first row under the header.
    page.mouse.dblclick(box["x"] + 200, box["y"] + 52)
    editor = page.locator("textarea.gdg-input")
    editor.fill("3")
    editor.press("Enter")
    settle(page)
    expect(page.get_by_role("textbox", name="Numbers")).to_have_value("3, 0.5, -1")
    assert "preset=Your+own" in page.url
