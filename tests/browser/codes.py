"""Hands and eyes on the page of the codes: the cells, the pictures and the pad."""

from collections.abc import Iterable
from urllib.parse import parse_qs, urlparse

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import settle
from tests.browser.live import button

PATH = "/vae_codes"
# Both shipped models have these latents and use them: what the encoder leaves to the prior shows little.
LATENT, OTHER = 1, 11
INK = "canvas => canvas.toDataURL()"
OPACITY = """
canvas => [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]
  .filter((_, index) => index % 4 === 3)
"""
# Of the smaller of the two.
DIGITS_LATENTS, DIGITS_SHAPE = 16, [8, 8]
Point = tuple[float, float]
# A digit one, in shares of the pad's side.
ONE = [(0.35, 0.3), (0.5, 0.15), (0.5, 0.5), (0.5, 0.85)]


def cells(page: Page) -> Locator:
    return page.get_by_test_id("cells")


def chosen(page: Page) -> list[int]:
    """The category of each latent in the code on show, counted from 0."""
    return [int(category) for category in (cells(page).get_attribute("data-chosen") or "").split(",")]


def cell(page: Page, latent: int, category: int) -> Locator:
    return page.locator(f".cell[data-latent='{latent}'][data-category='{category}']")


def picture(page: Page, name: str) -> Locator:
    return page.locator(f"[data-picture={name}] canvas")


def ink(canvas: Locator) -> str:
    """Every pixel of a canvas."""
    pixels: str = canvas.evaluate(INK)
    return pixels


def decoded(page: Page) -> str:
    return ink(picture(page, "decoded"))


def sheet(page: Page, key: str) -> Locator:
    return page.locator(f".st-key-{key} [data-testid=sheet]")


def equation(page: Page) -> str:
    """What the code costs, as it was written for the browser."""
    return page.locator("annotation", has_text="underbrace").text_content() or ""


def changes(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Changes")


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlparse(page.url).query)


def path_of(page: Page) -> str:
    """The address without the server."""
    address = urlparse(page.url)
    return f"{address.path}?{address.query}"


def answered(page: Page) -> None:
    """The ring moves at once: wait for what the server says to it."""
    expect(cells(page)).to_have_attribute("data-waiting", "0")
    settle(page)


def another(page: Page, latent: int) -> int:
    """A category that this latent does not have in the code."""
    return 1 if chosen(page)[latent] == 0 else 0


def flip(page: Page, latent: int) -> int:
    """Click on a cell that is not in the code; its category."""
    category = another(page, latent)
    cell(page, latent, category).click()
    answered(page)
    return category


def with_change(code: list[int], latent: int, category: int) -> list[int]:
    return [category if place == latent else own for place, own in enumerate(code)]


def type_changes(page: Page, text: str) -> None:
    changes(page).fill(text)
    changes(page).press("Enter")
    settle(page)


def open_pad(page: Page) -> Locator:
    """The pad's canvas, on the screen."""
    button(page, "Draw one").click()
    canvas = page.get_by_test_id("pad").locator("canvas")
    expect(canvas).to_be_visible()
    settle(page)
    return canvas


def on_screen(canvas: Locator, points: Iterable[Point]) -> list[Point]:
    """Shares of a canvas's sides as pixels of the window."""
    box = canvas.bounding_box()
    assert box
    return [(box["x"] + across * box["width"], box["y"] + down * box["height"]) for across, down in points]


def inked_rows(canvas: Locator) -> tuple[float, float]:
    """Where the ink begins and ends, in shares of the canvas's height."""
    (width, height), values = (
        canvas.evaluate("canvas => [canvas.width, canvas.height]"),
        canvas.evaluate(OPACITY),
    )
    rows = [row for row in range(height) if any(values[row * width : (row + 1) * width])]
    return rows[0] / height, (rows[-1] + 1) / height


def draw_with_the_mouse(canvas: Locator) -> None:
    (first, *others), mouse = on_screen(canvas, ONE), canvas.page.mouse
    mouse.move(*first)
    mouse.down()
    for place in others:
        mouse.move(*place, steps=6)
    mouse.up()


def draw_with_a_finger(canvas: Locator) -> None:
    """By the browser's own protocol: Playwright's touch screen only taps."""
    page = canvas.page
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *places: Point) -> None:
        points = [{"x": across, "y": down} for across, down in places]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    first, *others = on_screen(canvas, ONE)
    touch("touchStart", first)
    for place in others:
        touch("touchMove", place)
    touch("touchEnd")
