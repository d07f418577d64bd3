"""The application: routes to the four steps of a build; each handler decodes, calls and encodes."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coordinator import edits, steps
from coordinator.api.builds import Builds
from coordinator.commit.base import read_manifest
from coordinator.history.runs import plan_record
from coordinator.project import Project
from coordinator.request import Request
from shared.errors import NothingMatched, UsageError, WindrowError
from shared.model.graph import BuildGraph
from shared.model.manifest import revision_number
from shared.redaction import redact
from shared.version import VERSION

OpenProject = Callable[[], Project]
_Body = TypeVar("_Body")
_Handler = Callable[[HttpRequest], Awaitable[Response]]

_STATUS = {1: 409, 2: 400, 4: 404, 9: 423, 11: 409, 32: 503, 36: 500, 124: 504}
_LARGEST = 8 << 20  # bytes of a request


class PlanBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a plan is asked for. edits: value by canonical id."""

    edits: dict[str, Any] = {}
    targets: tuple[str, ...] = ()
    full: bool = False


class BuildBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a build is made with."""

    edits: dict[str, Any] = {}


def make_app(open_project: OpenProject, *, token: str = "", hosts: tuple[str, ...] = ("*",)) -> Starlette:
    """The API of one project. token: what a client must send as a bearer; hosts: names it may be called by."""
    return Starlette(
        routes=[Route("/v1/health", _health)] + [
            Route(f"/v1/projects/{{project}}/{path}", _guarded(handler, open_project, token), methods=[method])
            for path, method, handler in (
                ("manifest", "GET", _manifest),
                ("plan", "POST", _plan),
                ("builds", "POST", _create),
                ("builds/{id}", "GET", _show),
                ("builds/{id}", "DELETE", _delete),
                ("builds/{id}/layers/{layer:int}", "POST", _execute),
                ("builds/{id}/commit", "POST", _commit),
            )
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))],
        exception_handlers={HTTPException: _refusal},  # type: ignore[dict-item]
    )  # fmt: skip


# -- handlers: what a request comes to, in a thread of its own ----------------------------------------------


def _manifest(project: Project, http: HttpRequest, _body: bytes) -> Response:
    asked = http.query_params.get("revision")
    if asked is None:
        base = steps.load_manifest(project)
        if base.manifest is None:
            raise NothingMatched(f"{project.name[0]}/{project.name[1]} has no revision yet", fix="commit a build")
        return _json(base.manifest, etag=base.manifest_hash)
    try:
        number = revision_number(asked)
    except ValueError as error:
        raise UsageError(f"{asked!r} is no revision", fix="write rev-0003 or 3") from error
    found = read_manifest(project.stores.refs, *project.name, number)
    if found is None:
        raise NothingMatched(f"there is no revision {asked}")
    return _json(found)


def _plan(project: Project, _http: HttpRequest, body: bytes) -> Response:
    asked = _decoded(body, PlanBody)
    edits.pend(project, asked.edits)
    seen = steps.compute_plan(project, Request(targets=asked.targets, full=asked.full))
    record = plan_record(seen.plan, seen.graph or BuildGraph(()), seen.base.next_revision)
    return _json({**msgspec.to_builtins(record), "base": seen.base.manifest_hash})


def _create(project: Project, _http: HttpRequest, body: bytes) -> Response:
    build = Builds(project).create(_decoded(body, BuildBody).edits)
    where = f"/v1/projects/{build.project}/builds/{build.id}"
    return _json(build, status=201, location=where)


def _show(project: Project, http: HttpRequest, _body: bytes) -> Response:
    return _json(Builds(project).get(http.path_params["id"]))


def _delete(project: Project, http: HttpRequest, _body: bytes) -> Response:
    Builds(project).delete(http.path_params["id"])
    return Response(status_code=204)


def _execute(project: Project, http: HttpRequest, _body: bytes) -> Response:
    return _json(Builds(project).execute(http.path_params["id"], http.path_params["layer"]))


def _commit(project: Project, http: HttpRequest, _body: bytes) -> Response:
    return _json(Builds(project).commit(http.path_params["id"]))


async def _health(_http: HttpRequest) -> Response:
    return _json({"status": "ok", "version": VERSION})


# -- around them ----------------------------------------------------------------------------------------------


def _guarded(
    handler: Callable[[Project, HttpRequest, bytes], Response], open_project: OpenProject, token: str
) -> _Handler:
    def answer(http: HttpRequest, body: bytes) -> Response:
        try:
            project = open_project()
            if http.path_params["project"] != project.name[0]:
                raise NothingMatched(f"there is no project {http.path_params['project']} here")
            return handler(project, http, body)
        except WindrowError as error:
            return _error(error)

    async def endpoint(http: HttpRequest) -> Response:
        sent = http.headers.get("authorization", "").removeprefix("Bearer ")
        if token and not hmac.compare_digest(sent.encode(), token.encode()):
            raise HTTPException(401, "send the server's token: Authorization: Bearer …")
        if http.method == "POST" and not http.headers.get("content-type", "").startswith("application/json"):
            # A page of another site cannot send this without being allowed to.
            raise HTTPException(415, "send Content-Type: application/json")
        body = bytearray()
        async for chunk in http.stream():
            body += chunk
            if len(body) > _LARGEST:
                raise HTTPException(413, f"more than {_LARGEST:,} bytes")
        return await run_in_threadpool(answer, http, bytes(body))

    return endpoint


def _decoded(body: bytes, kind: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.MsgspecError as error:
        raise UsageError("the request's body is not what is taken here", why=str(error)) from error


def _json(value: object, *, status: int = 200, location: str = "", etag: str = "") -> Response:
    headers = {name: text for name, text in (("location", location), ("etag", f'"{etag}"' if etag else "")) if text}
    return Response(msgspec.json.encode(value), status, headers, "application/json")


def _error(error: WindrowError) -> Response:
    parts = {"code": error.code, "what": error.what, "at": error.at, "why": error.why, "fix": error.fix}
    told = {name: redact(text) for name, text in parts.items() if text}
    return _json({"schema": "windrow.error/1", "error": told}, status=_STATUS.get(error.exit_code, 500))


async def _refusal(_http: HttpRequest, error: HTTPException) -> Response:
    told = {"code": f"HTTP{error.status_code}", "what": error.detail}
    return JSONResponse({"schema": "windrow.error/1", "error": told}, error.status_code, error.headers)
