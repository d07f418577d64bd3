"""CountingProxy: stands between a client and an HTTP server, passes on what comes, and counts requests."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit

_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "proxy-connection"}


class Request(NamedTuple):
    """What a client asks; the names of headers are in small letters."""

    method: str
    path: str
    headers: dict[str, str]


class CountingProxy:
    """`url` is what a client is told. Bodies are held in memory: for small ones.

    instead: an answer (status, S3 error code) for a request that is not passed on. spoilt: the body that the client gets.
    """

    def __init__(self, upstream: str) -> None:
        self.instead: Callable[[Request], tuple[int, str] | None] = lambda _: None
        self.spoilt: Callable[[Request, bytes], bytes] = lambda _, data: data
        self.upstream = urlsplit(upstream).netloc
        self.requests: list[tuple[str, str]] = []
        proxy, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self) -> None:
                with lock:
                    proxy.requests.append((self.command, self.path))
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked = Request(
                    self.command, self.path, {name.lower(): value for name, value in self.headers.items()}
                )
                if refusal := proxy.instead(asked):
                    self.refuse(*refusal)
                    return
                there = http.client.HTTPConnection(proxy.upstream, timeout=30)
                # As it came, `Host` too: it is signed.
                there.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in _HOP:
                        there.putheader(name, value)
                there.endheaders(body or None)
                answer = there.getresponse()
                data = proxy.spoilt(asked, answer.read())
                self.send_response_only(answer.status, answer.reason)
                for name, value in answer.getheaders():
                    if name.lower() not in _HOP and (name.lower() != "content-length" or self.command == "HEAD"):
                        self.send_header(name, value)
                if self.command != "HEAD":
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)
                there.close()

            def refuse(self, status: int, code: str) -> None:
                data = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
                self.send_response_only(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on

            def log_message(self, *_: object) -> None:
                """Nothing is printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self) -> Counter[str]:
        """How many requests of each method came since this was last asked."""
        counted, self.requests = Counter(method for method, _ in self.requests), []
        return counted


@contextmanager
def counting(upstream: str) -> Iterator[CountingProxy]:
    """A proxy while the block runs."""
    proxy = CountingProxy(upstream)
    thread = threading.Thread(target=proxy._server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy._server.shutdown()
        proxy._server.server_close()
        thread.join()
