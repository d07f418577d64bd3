"""windrow mcp: plans, status, reasons, differences and delta queries for MCP clients; nothing else knows of MCP."""

from __future__ import annotations

import hmac
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cli import render
from cli.listening import address, listen
from cli.options import book_options, open_book_settings, open_project
from coordinator.project import Project
from shared.errors import ToolMissing, UsageError, WindrowError
from shared.redaction import redact
from shared.settings import Settings
from shared.version import VERSION

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    Scope = Mapping[str, Any]
    App = Callable[[Any, Any, Any], Awaitable[None]]

PATH = "/mcp"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
Tool = TypeVar("Tool", bound=Callable[..., Any])

ABOUT = """\
A Windrow project: a build whose revisions, plans and ingested files can be asked about. plan_build and delta_build
tell what a holder of ingested files must fetch; plan tells what a build would run now, and why each job; build_status
how the project stands; why explains one target; diff compares two revisions.
"""


@click.command()
@book_options
@click.option("--http", is_flag=True, help="Listen on HTTP (at /mcp) rather than talk on stdin and stdout.")
@click.option("--host", default="127.0.0.1", help="With --http: the address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, help="With --http: the port.")
@click.option("--allow-build", is_flag=True, help="Offer a tool that builds, too; else nothing is ever written.")
def mcp(**given: Any) -> int:
    """Answer MCP clients, such as coding agents: on stdin and stdout, or on HTTP."""
    settings = open_book_settings(given)
    token = os.environ.get("WINDROW_MCP_TOKEN", "")
    if given["http"] and not token and given["host"] not in _LOOPBACK:
        raise UsageError(
            f"{given['host']} can be reached from other machines, and there is no token",
            fix="set WINDROW_MCP_TOKEN; clients send it as `Authorization: Bearer …`",
        )
    made = server(settings, allow_build=given["allow_build"])
    with suppress(KeyboardInterrupt):
        if given["http"]:
            _serve(made, given["host"], given["port"], token)
        else:
            made.run("stdio")
    return 0


def server(settings: Settings, *, allow_build: bool = False) -> MCPServer[Any]:
    """The server of a project. ToolMissing without the package `mcp`."""
    try:
        from mcp.server.mcpserver import MCPServer  # noqa: PLC0415 - an extra
        from mcp_types import ToolAnnotations  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ToolMissing("the package `mcp` is not installed", fix='pip install "windrow[mcp]"') from error
    made: MCPServer[Any] = MCPServer(
        f"windrow: {settings.project}", instructions=ABOUT, version=VERSION, log_level="WARNING"
    )
    tools = _Tools(settings)
    for tool in (tools.plan_build, tools.delta_build, tools.plan, tools.build_status, tools.why, tools.diff):
        made.add_tool(_told(tool), annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))
    if allow_build:
        hints = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True)
        made.add_tool(_told(tools.build), annotations=hints)
    return made


class _Tools:
    """What clients can call. Each call looks anew, at the settings' project; its docstring is what clients read."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def _project(self, book_id: str | None = None) -> Project:
        if book_id not in (None, "", self._settings.project):
            raise UsageError(f"this server is of the project {self._settings.project!r}, not of {book_id!r}")
        from cli.performers import PERFORMERS  # noqa: PLC0415 - only where jobs may run

        return open_project(self._settings, PERFORMERS)

    def plan_build(self, book_id: str | None = None, target_manifest_hash: str | None = None) -> dict[str, Any]:
        """What a client must do to hold the ingested files as they are now.

        With the manifest_hash of the state it holds: the files added, modified and deleted since, or status
        "unchanged". Without one, or with one that is not known (then there is a warning): all files.
        """
        from coordinator.ingest.changes import plan_build  # noqa: PLC0415

        return plan_build(self._project(book_id), target_manifest_hash)

    def delta_build(
        self, *, since: str, book_id: str | None = None, include_content: bool = False, user_id: str | None = None
    ) -> dict[str, Any]:
        """The ingested files changed or deleted since a time (ISO 8601, e.g. 2026-11-26T14:00:00Z) or a revision.

        include_content: also the text of each changed file, up to 256 KiB. There are no files of single users, so
        user_id makes no difference.
        """
        from coordinator.ingest.changes import delta_build  # noqa: PLC0415

        return delta_build(self._project(book_id), since, include_content=include_content)

    def plan(self, *, targets: list[str] | None = None, full: bool = False) -> dict[str, Any]:
        """What a build would run now, in layers, and the reasons for each job. Runs nothing, writes nothing.

        targets: outputs, rules or globs over outputs (default: everything). full: as if nothing had been built.
        """
        from coordinator.build import look  # noqa: PLC0415
        from coordinator.queries import plan_json  # noqa: PLC0415
        from coordinator.request import Request  # noqa: PLC0415

        return plan_json(look(self._project(), Request(targets=tuple(targets or ()), full=full)))

    def build_status(self) -> dict[str, Any]:
        """The current revision, what it holds, how the last build went (with the logs of failed jobs), the lock."""
        from coordinator.queries import standing, standing_json  # noqa: PLC0415

        project = self._project()
        return standing_json(project, standing(project))

    def why(self, target: str) -> dict[str, Any]:
        """Why a target (an output, a rule or a job) would run now or, when it is up to date, why it last ran."""
        from coordinator.build import look  # noqa: PLC0415
        from coordinator.queries import why_json  # noqa: PLC0415
        from coordinator.request import Request  # noqa: PLC0415

        project = self._project()
        return why_json(project, look(project, Request()), target)

    def diff(self, before: str, after: str) -> dict[str, Any]:
        """What differs between two revisions, e.g. rev-0001 and rev-0002: sources, artefacts, ingested files."""
        from coordinator.queries import diff_json, revision  # noqa: PLC0415

        project = self._project()
        try:
            return diff_json(revision(project, before), revision(project, after))
        except ValueError as error:
            raise UsageError(str(error), fix="write rev-0003 or 3") from error

    def build(
        self, *, targets: list[str] | None = None, full: bool = False, keep_going: bool = False
    ) -> dict[str, Any]:
        """Build what is out of date and commit the new revision; the answer counts jobs and has the logs of failures.

        targets: outputs, rules or globs over outputs (default: everything). keep_going: go on past a failed job.
        """
        from cli.progress_lines import LineProgress  # noqa: PLC0415
        from coordinator.build import build  # noqa: PLC0415
        from coordinator.request import Request  # noqa: PLC0415

        request = Request(targets=tuple(targets or ()), full=full, failures=0 if keep_going else 1)
        progress = LineProgress(verbose=False, quiet=True)
        try:
            return build(self._project(), request, progress).as_json()
        finally:
            progress.close()


def _told(tool: Tool) -> Tool:
    """The tool with errors that Windrow can name as answers that clients can read, without secrets."""
    from mcp.server.mcpserver.exceptions import ToolError  # noqa: PLC0415 - an extra

    @wraps(tool)
    def call(**arguments: Any) -> Any:
        try:
            return tool(**arguments)
        except WindrowError as error:
            raise ToolError(redact(render.error_text(error))) from None

    return call  # type: ignore[return-value]


def _serve(made: MCPServer[Any], host: str, port: int, token: str) -> None:
    """Listen until told to stop; the address is said on stderr. LocalError when it cannot be had."""
    import uvicorn  # noqa: PLC0415

    app: App = made.streamable_http_app(streamable_http_path=PATH, host=host)
    with listen(host, port) as listener:
        render.err(f"listening on {address(listener, host)}{PATH}")
        # No access log: nobody needs it, and a request may carry what must not be written down.
        config = uvicorn.Config(guarded(app, token) if token else app, log_level="warning", access_log=False)
        uvicorn.Server(config).run(sockets=[listener])


def guarded(app: App, token: str) -> App:
    """The app, for those who send the token; 401 for all others."""
    expected = f"Bearer {token}".encode()

    async def answer(scope: Scope, receive: Any, send: Any) -> None:
        given = next((value for name, value in scope.get("headers", ()) if name == b"authorization"), b"")
        if scope["type"] != "http" or hmac.compare_digest(given, expected):
            await app(scope, receive, send)
            return
        headers = [(b"www-authenticate", b"Bearer"), (b"content-type", b"text/plain"), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return answer
