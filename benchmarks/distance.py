"""Distance: a relay that has what passes through it arrive as late as from a server that is further away."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

_CHUNK = 1 << 16


class Distance:
    """round_trip: seconds to the server and back. A new connection takes one before its first byte is on its way."""

    def __init__(self, port: int, round_trip: float) -> None:
        self._there, self._round_trip = port, round_trip
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._connected, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def serve(self) -> None:
        """Relay until `stop`."""
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def stop(self) -> None:
        """Have `serve` return."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        opened = self._loop.time() + self._round_trip
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._there)
        both = self._carry(reader, there_writer, opened), self._carry(there_reader, writer, opened)
        with contextlib.suppress(asyncio.CancelledError):  # at the end of the relay, and nobody waits for it
            await asyncio.gather(*both, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opened: float) -> None:
        """Hand on what comes, each piece half a round trip later, in order and without holding up the next."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def arrive() -> None:
            while True:
                due, piece = await under_way.get()
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                if not piece:
                    return
                writer.write(piece)
                await writer.drain()

        arriving = asyncio.create_task(arrive())
        try:
            piece = b"-"
            while piece:
                piece = await reader.read(_CHUNK)
                under_way.put_nowait((max(opened, self._loop.time()) + self._round_trip / 2, piece))
            await arriving
        finally:
            arriving.cancel()
            with contextlib.suppress(OSError):
                writer.close()


@contextmanager
def away(url: str, round_trip: float) -> Iterator[str]:
    """The address of a relay to an HTTP server on this machine while the block runs."""
    port = urlsplit(url).port
    assert port is not None
    relay = Distance(port, round_trip)
    thread = threading.Thread(target=relay.serve, name="distance")
    thread.start()
    try:
        yield f"http://127.0.0.1:{relay.port}"
    finally:
        relay.stop()
        thread.join()
