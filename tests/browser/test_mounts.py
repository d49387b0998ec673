"""A component's life, by itself: what stands behind a host element, and which of its runs may clean up."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from pages.components.sources import source


@pytest.fixture
def blank(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def test_only_the_last_run_of_a_host_cleans_up(blank: Page) -> None:
    cleaned = blank.evaluate(f"""() => {{
      {source("mounts.js")}
      const host = {{}}, cleaned = []
      const run = (host, name) => atTheEnd(host, () => cleaned.push(name))
      const first = run(host, "first"), other = run({{}}, "another host's"), last = run(host, "last")
      for (const end of [first, other, last]) end()
      return cleaned
    }}""")
    assert cleaned == ["another host's", "last"]


def test_a_host_keeps_what_its_first_run_made(blank: Page) -> None:
    hosts = blank.evaluate(f"""() => {{
      {source("mounts.js")}
      class Kind {{ constructor(host) {{ this.host = host.name }} }}
      const one = {{ name: "one" }}, other = {{ name: "other" }}
      return [onHost(one, Kind) === onHost(one, Kind), onHost(one, Kind).host, onHost(other, Kind).host]
    }}""")
    assert hosts == [True, "one", "other"]
