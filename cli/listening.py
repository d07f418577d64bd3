"""Sockets that the servers listen on."""

from __future__ import annotations

import socket

from shared.errors import LocalError

_WAITING = 128  # connections that nobody has answered yet


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens, port 0 for any free one: whoever reads the address may come at once. LocalError."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_WAITING)
    except OSError as error:
        listener.close()
        raise LocalError(
            f"cannot listen on {host}, port {port}",
            at=f"{host}:{port}",
            why=error.strerror or str(error),
            fix="choose another with --host and --port; --port 0 takes a free one",
        ) from error
    return listener


def address(listener: socket.socket, host: str) -> str:
    """How clients call it: `http://127.0.0.1:8321`."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
