"""The server: `streamlit run app.py`.

An `st.App` over `pages/_frame.py`, so that the main script lives beside the pages and a first hit on any
deep link gets the frame too. It adds the one route that Streamlit does not have (Plotly.js, from the
installed `plotly` package) and the security headers.
"""

import base64
import gc
import gzip
import hashlib
import importlib
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import cache
from importlib.metadata import version
from importlib.resources import files

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PLOTLY_PATH = "/vendor/plotly.min.js"


@cache
def plotly_js() -> bytes:
    """Plotly.js as the `plotly` package carries it, compressed once."""
    return gzip.compress(files("plotly").joinpath("package_data/plotly.min.js").read_bytes(), compresslevel=6)


def plotly_url() -> str:
    """Where `pages/components/figure.py` loads it from: a new version has a new address."""
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"{'/' + base if base else ''}{PLOTLY_PATH}?v={version('plotly')}"


def serve_plotly(_request: Request) -> Response:
    headers = {
        "Content-Encoding": "gzip",
        "Vary": "Accept-Encoding",
        "Cache-Control": "public, max-age=31536000",
    }
    return Response(plotly_js(), media_type="text/javascript", headers=headers)


@cache
def content_security_policy() -> str:
    """Scripts from this server alone; `blob:` is how Streamlit loads a component's module.

    Streamlit's page has one inline script, admitted by its hash. Styles are inline because Streamlit's
    and Plotly's are made in the browser.
    """
    page = files("streamlit").joinpath("static/index.html").read_text(encoding="utf-8")
    inline = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in inline)
    scripts = " ".join(f"'sha256-{value}'" for value in hashes)
    return "; ".join(
        [
            "default-src 'self'",
            f"script-src 'self' blob: {scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' data: blob:",
            "form-action 'self'",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
        ]
    )


class Headers:
    """ASGI middleware: the security headers on every response, and an early word about Plotly.js."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.headers = [
            (b"content-security-policy", content_security_policy().encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),
        ]

    def early(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """On the page itself: begin with Plotly.js now, and not when the first figure asks for it.

        Over 20 Mbit/s at 40 ms, the first figure of a new visitor stood after 4.0 s in place of 5.1.
        """
        is_page = any(name == b"content-type" and value.startswith(b"text/html") for name, value in headers)
        return [(b"link", f"<{plotly_url()}>; rel=preload; as=script".encode())] if is_page else []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self.headers, *self.early(message["headers"])]
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


@asynccontextmanager
async def warm_up(_app: st.App) -> AsyncIterator[None]:
    """Pay for the heavy imports once, at start-up, and not in a visitor's first page."""
    plotly_js()
    # A process's first optimiser imports PyTorch's compiler: two seconds for the toy's first visitor.
    for module in ("gumbel_core", "scipy.stats", "pages.components", "torch._dynamo"):
        importlib.import_module(module)
    torch = importlib.import_module("torch")
    # Visitors' small tensors gain nothing from a second thread, and two of them at once would fight for it.
    # A training run sets its own.
    torch.set_num_threads(1)
    # What stands now stays: the garbage collector need not walk through all of torch again and again.
    gc.freeze()
    yield


app = st.App(
    "pages/_frame.py",
    lifespan=warm_up,
    routes=[Route(PLOTLY_PATH, serve_plotly)],
    middleware=[Middleware(Headers)],
)
