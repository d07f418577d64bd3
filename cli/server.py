"""windrow server."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import click

from cli import render
from cli.listening import address, listen
from cli.options import open_project, open_settings, project_options
from cli.performers import PERFORMERS
from coordinator.project import Project
from shared.errors import ToolMissing, UsageError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command()
@project_options
@click.option("--host", default="127.0.0.1", help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8321, help="The port to listen on; 0 for a free one.")
def server(**given: Any) -> int:
    """Serve the steps of this project's builds over HTTP, until it is ended.

    Whoever can reach it can have the project's commands run. On an address that others can reach it wants a token:
    $WINDROW_SERVER_TOKEN.
    """
    chosen = {name: given[name] for name in ("branch", "project")}
    token = os.environ.get("WINDROW_SERVER_TOKEN", "")
    settings = open_settings(given["directory"], chosen)
    if given["host"] not in _LOOPBACK and not token:
        raise UsageError(
            f"listening on {given['host']} needs a token",
            why="whoever reaches the server can have commands run",
            fix="set WINDROW_SERVER_TOKEN, or leave --host out",
        )
    try:
        import uvicorn  # noqa: PLC0415 - an extra

        from coordinator.api.app import make_app  # noqa: PLC0415
    except ImportError as error:
        raise ToolMissing(f"{error.name} is not installed", fix="pip install 'windrow[server]'") from error

    def project() -> Project:
        # Anew for each request: windrow.toml may have been edited.
        return open_project(open_settings(str(settings.root), chosen), PERFORMERS)

    hosts = ("*",) if token else ("127.0.0.1", "localhost", "[::1]")
    app = make_app(project, token=token, hosts=hosts)
    config = uvicorn.Config(app, log_level="warning", lifespan="off")
    with listen(given["host"], given["port"]) as listener:
        render.out(f"serving {settings.project} on {address(listener, given['host'])}")
        render.flush()
        # To be told to stop is how it ends: uvicorn finishes what is asked, and passes the signal on.
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
    return 0
