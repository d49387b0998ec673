"""Bias and variance in Chromium: the dragged fan, links, truths by a click, bad numbers, phones, tabs."""

import re
from urllib.parse import urlparse

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from gumbel_core.figures.gradients_arrows import MEAN, SHAFTS, TIPS
from gumbel_core.gradient_arrows import ARROWS
from tests.browser.conftest import PHONE, Open, settle
from tests.browser.test_pages import IMAGE, TOO_WIDE, assert_nothing_came_alive
from tests.browser.test_scrub import query

PATH = "/gradients"
# The numbers in a figure's elements, by trace: of the lines' paths, then of the dots' places.
ELEMENTS = """
host => [...host.querySelectorAll(".scatterlayer > .trace")].map((group) => [
  ...[...group.querySelectorAll("path.js-line")].map((line) => line.getAttribute("d")),
  ...[...group.querySelectorAll("path.point")].map((dot) => dot.getAttribute("transform")),
])
"""
# Resolves when the display has drawn what was asked for before.
DRAWN = "() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
# Every bar of progress that comes by, by its words.
WATCH = """
() => {
  window.bars = new Set()
  new MutationObserver(() => {
    for (const bar of document.querySelectorAll("[data-testid=stProgress]")) window.bars.add(bar.textContent)
  }).observe(document.body, { subtree: true, childList: true, characterData: true })
}
"""


def arrows(page: Page) -> Locator:
    return page.locator(".st-key-gradient_arrows [data-testid=figure]")


def elements(figure: Locator) -> list[list[float]]:
    """The numbers of each trace."""
    traces: list[list[str]] = figure.evaluate(ELEMENTS)
    return [[float(number) for number in re.findall(r"-?[\d.]+", " ".join(trace))] for trace in traces]


def words(page: Page) -> list[str]:
    """What every figure says that it shows, in sight or not."""
    said: list[str] = page.get_by_test_id("figure").evaluate_all(
        "hosts => hosts.map((host) => host.ariaLabel)"
    )
    assert len(said) > 5
    return said


def box_of(part: Locator) -> FloatRect:
    box = part.bounding_box()
    assert box
    return box


def bottom(box: FloatRect) -> float:
    return box["y"] + box["height"]


def grab(page: Page) -> FloatRect:
    """Take hold of the temperature's thumb at tau = 1, the middle."""
    box = box_of(page.get_by_test_id("scrub-range"))
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    return box


def drag(page: Page, box: FloatRect, share: float) -> None:
    page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2, steps=12)
    page.evaluate(DRAWN)


def type_into(page: Page, label: str, text: str) -> None:
    field = page.get_by_label(label, exact=True)
    field.fill(text)
    field.press("Enter")


def press(page: Page, word: str) -> None:
    """One of a row of words."""
    page.get_by_test_id("stButtonGroup").get_by_text(word, exact=True).click()


def choose(page: Page, label: str, option: str) -> None:
    """From a list: typed, for a mouse opens it where a finger would not. A run would close it again."""
    field = page.get_by_role("combobox", name=label, exact=True)
    field.click()
    field.fill(option)
    expect(page.get_by_role("option", name=option, exact=True)).to_be_visible()
    field.press("Enter")
    settle(page)


def test_the_fan_follows_the_drag_to_where_the_server_draws_it(open_page: Open) -> None:
    page = open_page(f"{PATH}?tau=0.2")
    sent: list[bytes | str] = []
    # A second visit, because a socket can only be listened to from its start.
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    page.reload()
    settle(page)
    assert sent
    figure = arrows(page)
    standing = elements(figure)
    assert len(standing[TIPS]) == 2 * ARROWS
    track = grab(page)
    sent.clear()
    drag(page, track, 0.62)
    assert sent == []
    dragged = elements(figure)
    for trace, numbers in enumerate(dragged):
        # The outline and the exact arrow know no temperature.
        moved = max(abs(here - there) for here, there in zip(numbers, standing[trace], strict=True))
        assert moved > 20 if trace in (SHAFTS, TIPS, MEAN) else moved == 0
    page.mouse.up()
    settle(page)
    assert len(sent) == 1
    assert float(query(page)["tau"][0]) == pytest.approx(3, rel=0.1)
    assert "at tau 3" in words(page)[0]
    drawn = elements(figure)
    for trace, numbers in enumerate(dragged):
        # A pixel or two: the fan goes straight from one of its temperatures to the next.
        assert numbers == pytest.approx(drawn[trace], abs=2)


def test_a_link_reproduces_the_page_in_another_browser(open_page: Open) -> None:
    mine = open_page(PATH)
    untouched = words(mine)
    press(mine, "quadratic")
    type_into(mine, "Its numbers", "1, 0, 3")
    mine.get_by_role("button", name="More").click()
    type_into(mine, "Variables, each with these logits", "2")
    type_into(mine, "Gumbel-Rao's R", "3")
    mine.get_by_role("slider", name="Estimates averaged in a step").press("ArrowRight")
    mine.keyboard.press("Escape")
    type_into(mine, "Seed", "5")
    type_into(mine, "Temperature τ", "0.4")
    type_into(mine, "Learning rate", "0.5")
    settle(mine)
    choose(mine, "Estimator", "Gumbel-Rao")
    choose(mine, "Beside it", "REBAR")
    assert query(mine) == {
        "f": ["quadratic"], "f_numbers": ["1, 0, 3"], "variables": ["2"], "rao_draws": ["3"],
        "means": ["2"], "seed": ["5"], "tau": ["0.4"], "learn_rate": ["0.5"],
        "estimator": ["Gumbel-Rao"], "beside": ["REBAR"],
    }  # fmt: skip
    assert set(words(mine)).isdisjoint(untouched)
    yours = open_page(f"{PATH}?{urlparse(mine.url).query}")
    assert words(yours) == words(mine)
    # The error's equation has its m.
    equations = [page.locator(".katex-mathml").all_text_contents() for page in (mine, yours)]
    assert equations[0] == equations[1]


def test_a_known_truth_is_a_click_away(open_page: Open) -> None:
    # What a case does not name is as untouched.
    page = open_page(f"{PATH}?tau=0.5&f_numbers=3,1,2&variables=2&rao_draws=3")
    for case, pair, verdict in (
        ("ReinMax, a network", ["network", "ReinMax", "Exact"], "Their means differ"),
        ("ReinMax, Gumbel-Rao at τ = 0", ["network", "ReinMax", "Gumbel-Rao at τ = 0"], "agree draw by draw"),
        ("ReinMax, quadratic f", ["quadratic", "ReinMax", "Exact"], "No difference is seen"),
    ):
        press(page, case)
        settle(page)
        assert query(page) == {
            key: [value] for key, value in zip(("f", "estimator", "beside"), pair, strict=True)
        }
        said = page.get_by_test_id("stMarkdown").filter(has_text=verdict)
        figure = page.locator(".st-key-gradient_z [data-testid=figure]")
        assert 0 <= box_of(said)["y"] - bottom(box_of(figure)) < 40
        assert said.inner_text() in (figure.get_attribute("aria-label") or "")
        # A word does not stay lit: the next move may leave its case.
        assert page.get_by_test_id("stButtonGroup").get_by_role("radio", name=case, checked=True).count() == 0


def test_numbers_that_do_not_fit_keep_the_last_picture(open_page: Open) -> None:
    page = open_page(f"{PATH}?f_numbers={IMAGE},")
    field, said = page.get_by_label("Its numbers", exact=True), page.get_by_test_id("stAlertContentError")
    expect(field).to_have_value(f"{IMAGE},")
    expect(said).to_contain_text(IMAGE)
    type_into(page, "Its numbers", "5, 0, 1")
    settle(page)
    assert said.count() == 0
    last, drawn = words(page), elements(arrows(page))
    for text in ("5, 0", "1, 1e9, 0", IMAGE):
        type_into(page, "Its numbers", text)
        settle(page)
        assert said.count() == 1
        assert said.inner_text().count(".") == said.inner_text().rstrip().endswith(".") == 1
        # At the field, before the first picture.
        assert bottom(box_of(field)) <= box_of(said)["y"] < box_of(page.get_by_test_id("scrub"))["y"]
        assert words(page) == last
        assert elements(arrows(page)) == drawn
    assert_nothing_came_alive(page)


def test_a_phone_shows_the_whole_width_and_the_fan_under_the_thumb(open_page: Open) -> None:
    page = open_page(PATH, viewport=PHONE, has_touch=True, is_mobile=True)
    press(page, "network")
    settle(page)
    choose(page, "Estimator", "ST Gumbel-Softmax")
    choose(page, "Beside it", "Gumbel-Rao at τ = 0")
    press(page, "They scatter")
    settle(page)
    for figure in page.get_by_test_id("figure").all():
        figure.scroll_into_view_if_needed()
    settle(page)
    assert page.evaluate(TOO_WIDE) == []
    figure = arrows(page)
    figure.scroll_into_view_if_needed()
    settle(page)
    standing = elements(figure)
    track = grab(page)
    drag(page, track, 0.7)
    assert elements(figure)[TIPS] != pytest.approx(standing[TIPS], abs=5)
    bar, dots = box_of(page.locator(".st-key-gradients_bar")), figure.locator("path.point").all()
    assert 0 <= bar["y"] <= track["y"]
    assert all(bottom(bar) <= bottom(box_of(dot)) <= PHONE["height"] for dot in dots)
    page.mouse.up()
    settle(page)
    assert page.evaluate(TOO_WIDE) == []


def test_a_long_measurement_says_how_far_it_is(open_page: Open) -> None:
    page = open_page(PATH)
    page.evaluate(WATCH)
    page.get_by_role("button", name="New noise").click()
    expect(page.get_by_label("Seed", exact=True)).to_have_value("12")
    settle(page)
    bars = page.evaluate("() => [...window.bars]")
    assert bars
    assert all(bar.startswith("Measuring ") for bar in bars)
    assert page.get_by_test_id("stProgress").count() == 0


def test_the_back_button_and_a_second_tab_disturb_nothing(open_page: Open) -> None:
    page = open_page(f"{PATH}?estimator=ReinMax&tau=0.5")
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Noise").click()
    expect(page.get_by_role("heading", name="Why Gumbel noise")).to_be_visible()
    settle(page)
    page.go_back()
    expect(page.get_by_role("heading", name="Biased or noisy")).to_be_visible()
    settle(page)
    # The page shows what its address says.
    tau, estimator = (
        query(page).get(key, [untouched])[0]
        for key, untouched in (("tau", "1"), ("estimator", "Gumbel-Softmax"))
    )
    assert f"estimates by {estimator} at tau {float(tau):g}" in words(page)[0]
    choose(page, "Estimator", "ReinMax")

    other = page.context.new_page()
    other.goto(page.url.split("?")[0])
    settle(other)
    choose(other, "Estimator", "REBAR")
    assert "estimates by REBAR at tau 1" in words(other)[0]
    type_into(page, "Temperature τ", "0.6")
    settle(page)
    assert [query(page)[key] for key in ("estimator", "tau")] == [["ReinMax"], ["0.6"]]
    assert "estimates by ReinMax at tau 0.6" in words(page)[0]
