"""The server's own two things: Plotly.js from the installed package, and the security headers."""

import asyncio
import base64
import gzip
import hashlib
import json
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Scope

import app
from pages.components.figure import plotly_url

# Over a plain Starlette: a request to `app.app` would start Streamlit's runtime for the rest of the tests.
# That `app.app` has both is held by the browser tests, in which no figure is drawn without them.
SERVER = Starlette(
    routes=[Route(app.PLOTLY_PATH, app.serve_plotly), Route("/", lambda _request: PlainTextResponse("page"))],
    middleware=[Middleware(app.Headers)],
)


def get(server: ASGIApp, path: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one GET request."""
    sent: list[Message] = []
    scope: Scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": path,
        "raw_path": path.encode(), "root_path": "", "query_string": b"", "headers": [],
    }  # fmt: skip

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    async def ask() -> None:
        await server(scope, receive, send)

    asyncio.run(ask())
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


def policy() -> dict[str, list[str]]:
    """The content security policy as directive -> sources."""
    directives = (part.split() for part in app.content_security_policy().split(";"))
    return {name: sources for name, *sources in directives}


def test_plotly_is_the_installed_one_compressed() -> None:
    status, headers, body = get(SERVER, app.PLOTLY_PATH)
    assert status == 200
    assert headers["content-type"].startswith("text/javascript")
    assert headers["content-encoding"] == "gzip"
    assert headers["vary"] == "Accept-Encoding"
    assert int(headers["content-length"]) == len(body) < 2_000_000
    assert gzip.decompress(body) == files("plotly").joinpath("package_data/plotly.min.js").read_bytes()


def test_every_response_carries_the_headers() -> None:
    for path in ("/", app.PLOTLY_PATH, "/nowhere"):
        headers = get(SERVER, path)[1]
        assert headers["content-security-policy"] == app.content_security_policy()
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


def test_scripts_come_from_this_server_alone() -> None:
    scripts = policy()["script-src"]
    assert [source for source in scripts if not source.startswith("'sha256-")] == ["'self'", "blob:"]
    # Without one of these a directive would fall back on nothing at all.
    assert policy()["default-src"] == ["'self'"]
    assert policy()["object-src"] == ["'none'"]
    assert policy()["base-uri"] == ["'self'"]


def test_the_policy_admits_no_evaluation_and_no_foreign_host() -> None:
    schemes = {"data:", "blob:"}
    keywords = {"'self'", "'none'", "'unsafe-inline'"}
    for directive, sources in policy().items():
        for source in sources:
            hashed = re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", source)
            assert hashed or source in schemes | keywords, directive
    assert [name for name, sources in policy().items() if "'unsafe-inline'" in sources] == ["style-src"]


def test_streamlits_inline_script_is_admitted_by_its_hash() -> None:
    page = files("streamlit").joinpath("static/index.html").read_text(encoding="utf-8")
    # Every script element with a body, whatever its attributes: one that the policy overlooked would not run.
    inline = filter(str.strip, re.findall(r"<script\b[^>]*>(.*?)</script>", page, flags=re.DOTALL))
    hashes = [base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in inline]
    assert hashes
    assert [f"'sha256-{value}'" for value in hashes] == policy()["script-src"][2:]
    # Nor has it an inline handler, which no hash would admit.
    assert not re.search(r"<[^>]+\son\w+=", page)


# In a process of its own, for this one has imported everything already.
WARM_UP = """
import asyncio, json, sys
import app

async def missing_while_up():
    async with app.warm_up(app.app):
        return missing()

def missing():
    return [module for module in sys.argv[1:] if module not in sys.modules]

print(json.dumps([missing(), asyncio.run(missing_while_up())]))
"""
HEAVY = ["torch", "scipy.stats", "gumbel_core", "pages.components", "torch._dynamo"]


def test_the_warm_up_imports_what_a_page_needs() -> None:
    command = [sys.executable, "-c", WARM_UP, *HEAVY]
    ran = subprocess.run(command, cwd=Path(app.__file__).parent, capture_output=True, text=True, check=True)
    before, after = json.loads(ran.stdout.splitlines()[-1])
    assert before == HEAVY
    assert after == []


def test_the_page_begins_with_plotly_where_the_figures_look_for_it() -> None:
    assert app.plotly_url() == plotly_url()
    headers = app.Headers(Starlette()).early([(b"content-type", b"text/html; charset=utf-8")])
    assert headers == [(b"link", f"<{plotly_url()}>; rel=preload; as=script".encode())]
    assert app.Headers(Starlette()).early([(b"content-type", b"text/javascript")]) == []
