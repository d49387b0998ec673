"""A network that a test can cut: a TCP proxy before a server, on a thread of its own."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit


class Proxy:
    """Passes bytes on both ways until it is cut; then every connection breaks, and no new one is taken."""

    def __init__(self, port: int) -> None:
        """`port` is the server's, on this machine."""
        self.target, self.whole = port, True
        self.open = set[asyncio.StreamWriter]()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        self.whole = False
        self._run(self._break())

    def mend(self) -> None:
        self.whole = True

    def close(self) -> None:
        self.cut()
        self.server.close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of work on the proxy's thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.whole:
            writer.transport.abort()
            return
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self.open |= {writer, server_writer}
        await asyncio.gather(self._pass(reader, server_writer), self._pass(server_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Either side may go at any time.
        with suppress(OSError):
            while content := await reader.read(2**16):
                writer.write(content)
                await writer.drain()
        writer.close()
        self.open.discard(writer)

    async def _break(self) -> None:
        for writer in list(self.open):
            writer.transport.abort()
        # One turn of the loop, for the transports to be closed.
        await asyncio.sleep(0)


@contextmanager
def network(address: str) -> Iterator[Proxy]:
    """A network to the server at an address."""
    proxy = Proxy(urlsplit(address).port or 80)
    try:
        yield proxy
    finally:
        proxy.close()
