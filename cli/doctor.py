"""windrow doctor."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from cli import render
from cli.options import given_project, project_options
from cli.performers import sandbox_memory, sandbox_root
from coordinator.project import Project
from shared import hashing
from shared.errors import LocalError, WindrowError, named
from shared.model.manifest import revision_name

if TYPE_CHECKING:
    from redis import Redis

    from shared.queue import Beat


class Finding(NamedTuple):
    """One line: ok, warn or FAIL; what was looked at; what was found."""

    verdict: str
    what: str
    text: str


@click.command()
@project_options
def doctor(**given: Any) -> int:
    """Check settings, tools, storage, broker and workers; exit 36 if something fails."""
    project = given_project(given)
    findings = list(_findings(project))
    failed = sum(finding.verdict == "FAIL" for finding in findings)
    if given["as_json"]:
        checks = [finding._asdict() for finding in findings]
        render.as_json({"schema": "windrow.doctor/1", "failed": failed, "checks": checks})
    else:
        for finding in findings:
            render.out(f" {finding.verdict:4}  {finding.what:10} {finding.text}")
        render.out(f"{render.plural(failed, 'failure')}")
    return LocalError.exit_code if failed else 0


def _findings(project: Project) -> Iterator[Finding]:
    yield Finding("ok", "settings", str(project.settings.root / "windrow.toml"))
    broken: list[str] = []
    for what, check, needs in _CHECKS:
        # It would fail for the same reason, and wait for it as long once more.
        if without := [need for need in needs if need in broken]:
            yield Finding("warn", what, f"not looked at, since {' and '.join(without)} failed")
            continue
        try:
            yield from check(project)
        except WindrowError as error:
            broken.append(what)
            more = "; ".join(text for text in (error.why, f"fix: {error.fix}" if error.fix else "") if text)
            yield Finding("FAIL", what, error.what + (f" ({more})" if more else ""))


def _workspace(project: Project) -> Iterator[Finding]:
    folder = project.settings.root
    verdict = "ok" if os.access(folder, os.W_OK) else "FAIL"
    yield Finding(verdict, "workspace", f"{folder} is {'' if verdict == 'ok' else 'not '}writable")


def _tools(project: Project) -> Iterator[Finding]:
    if project.settings.fingerprint:
        yield Finding("ok", "tools", f"fingerprint pinned to {project.settings.fingerprint}")
        return
    found = project.tools.found
    yield Finding("ok", "tools", f"{found.fingerprint}: {', '.join(sorted(found.tools)) or 'none named'}")


_ISOLATION = {
    "mounts": "trees appear at their own path in mount namespaces",
    "user-mounts": "trees appear at their own path in user and mount namespaces",
    "rewriting": "no namespaces: absolute paths in commands of a build.ninja are rewritten, see rooted-jobs.md",
}


def _isolation(project: Project) -> Iterator[Finding]:
    from workers.execute.isolation import isolation  # noqa: PLC0415 - tries it out in a process of its own

    way = isolation()
    needed = way == "rewriting" and project.imported is not None
    yield Finding("warn" if needed else "ok", "isolation", f"{way}: {_ISOLATION[way]}")


def _watched(project: Project) -> Iterator[Finding]:
    """Where jobs run, and whether it shows there what they read."""
    from workers.sandbox.marks import observable  # noqa: PLC0415 - as above

    memory = sandbox_memory()
    for root in (*([memory.root] if memory is not None else ()), sandbox_root(project.settings.cache_dir)):
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise named(error, root, "making") from error
        if observable(root / f"doctor-{secrets.token_hex(4)}"):
            yield Finding("ok", "sandboxes", f"{root}: what commands read is seen")
            continue
        verdict = "ok" if project.imported is None else "warn"
        yield Finding(verdict, "sandboxes", f"{root}: reading is not seen; who does not say what it reads reads all")


def _storage(project: Project) -> Iterator[Finding]:
    """Put, get, delete, and how the pointer is swapped."""
    stores = project.stores
    data = b"windrow doctor " + secrets.token_bytes(8)
    name = hashing.of_bytes(data)
    stores.far.put(name, data)
    stores.far.get(name)
    stores.far.delete(name)
    where = project.settings.storage.url or str(project.settings.cache_dir / "store")
    how = stores.conditional
    swaps = "how it swaps is tried by the first build" if how == "not probed yet" else f"swaps by {how}"
    yield Finding("ok", "storage", f"{where}: put, get, delete; {swaps}")


def _broker(project: Project) -> Iterator[Finding]:
    farm = project.settings.farm
    broker = farm.broker
    if not broker:
        yield Finding("ok", "broker", "none set: jobs run in this process")
        return
    from coordinator.broker import Broker  # noqa: PLC0415 - redis
    from shared.queue import redacted  # noqa: PLC0415

    with contextlib.closing(Broker(broker, project.clock, farm.broker_patience)) as kept:
        info: Any = kept.call(lambda client: client.info(), "the broker does not answer")
    policy = str(info.get("maxmemory_policy", "unknown"))
    verdict = "ok" if policy == "noeviction" else "FAIL"
    text = f"{redacted(broker)} {info.get('redis_version', '')}, maxmemory-policy {policy}"
    yield Finding(verdict, "broker", text + ("" if verdict == "ok" else ": it drops queued jobs; set noeviction"))
    if not info.get("aof_enabled"):
        yield Finding("warn", "broker", "no append-only file: a restart forgets queued jobs, which builds send again")


def _workers(project: Project) -> Iterator[Finding]:
    farm = project.settings.farm
    if not farm.broker:
        return
    from coordinator.broker import Broker  # noqa: PLC0415 - redis
    from shared import queue  # noqa: PLC0415

    tools = queue.toolset(project.tools.named())

    def look(client: Redis) -> tuple[Any, bool]:
        names: Any = client.zrange(queue.WORKERS, 0, -1)
        keys = [queue.worker_key(name.decode()) for name in names]
        return client.mget(keys) if keys else [], client.zscore(queue.TOOLSETS, tools) is not None

    with contextlib.closing(Broker(farm.broker, project.clock, farm.broker_patience)) as kept:
        values, asked = kept.call(look, "the broker does not answer")
    beats = queue.read_beats(values)
    if not beats:
        yield Finding("FAIL", "workers", "none is connected; start one: windrow worker, or windrow farm up")
    for beat in beats:
        yield worker_finding(beat, project.tools.platform(), asked=asked)


def worker_finding(beat: Beat, wanted: str, *, asked: bool) -> Finding:
    """What a worker is for a project; asked: a build has told workers which tools it needs."""
    fits, verdict = "serves this project's tools", "ok"
    if wanted not in beat.platforms and not asked:
        fits = "not asked for this project's tools yet: a build does"
    elif wanted not in beat.platforms and not (beat.platforms or beat.unfit):
        fits = "looks at its tools just now"
    elif wanted not in beat.platforms:
        fits, verdict = "has other tools than this project's", "warn"
    way = f", isolation by {beat.isolation}" if beat.isolation else ""
    return Finding(verdict, "workers", f"{beat.id}: {render.plural(beat.slots, 'slot')}, {fits}{way}")


def _history(project: Project) -> Iterator[Finding]:
    base = project.load_base()
    for problem in base.problems:
        yield Finding("FAIL", "history", problem)
    if base.manifest is None:
        return
    from coordinator.history import replay  # noqa: PLC0415

    live = [entry.event for entry in project.event_log().read()]
    found = replay.check(project.stores.refs, base.manifest, live)
    if found.differences:
        first = "; ".join(found.differences[:3])
        yield Finding("warn", "history", f"archived events differ from the manifest: {first}")
    elif found.gaps:
        gone = ", ".join(map(revision_name, found.gaps[:3]))
        yield Finding("ok", "history", f"not compared with the events: those of {gone} are not kept")
    else:
        yield Finding("ok", "history", "the archived events tell the same as the manifest")


# What is looked at, how, and what that needs.
_CHECKS: tuple[tuple[str, Callable[[Project], Iterator[Finding]], tuple[str, ...]], ...] = (
    ("workspace", _workspace, ()),
    ("tools", _tools, ()),
    ("isolation", _isolation, ()),
    ("sandboxes", _watched, ()),
    ("storage", _storage, ()),
    ("broker", _broker, ()),
    ("workers", _workers, ("broker",)),
    ("history", _history, ("storage", "broker")),
)
