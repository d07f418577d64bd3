"""windrow lock show, lock break."""

from __future__ import annotations

import time
from typing import Any

import click

from cli import render
from cli.options import given_project, project_options
from coordinator.lock.lease import Holder, age
from coordinator.project import Project
from shared.clock import from_iso
from shared.errors import LockHeld


@click.group()
def lock() -> None:
    """Show the build lock, or take it away from a build that hangs."""


@lock.command()
@project_options
def show(**given: Any) -> int:
    """Show who holds the lock; exit 9 when somebody does."""
    project = given_project(given)
    holder = project.lock().current()
    if given["as_json"]:
        render.as_json(_told(project, holder))
    elif holder is None:
        render.out("free")
    else:
        render.out(f"held by {holder.user}@{holder.host}, pid {holder.pid}, build {holder.build}")
        render.out(f"since {holder.since} ({age(time.time() - from_iso(holder.since))} ago), renewed {holder.renewed}")
        render.out(f"fence {holder.fence}")
    return LockHeld.exit_code if holder else 0


@lock.command("break")
@project_options
def break_(**given: Any) -> int:
    """Take the lock away. Its holder notices, and can commit nothing any more."""
    project = given_project(given)
    kept = project.lock()
    holder = kept.current()
    taken = holder is not None and kept.seize(holder.nonce)
    if given["as_json"]:
        now = None if taken or holder is None else kept.current()
        render.as_json({**_told(project, now), "taken_from": _fields(holder) if taken else None})
        return LockHeld.exit_code if now else 0
    if holder is None:
        render.out("the lock is free; nothing was done")
        return 0
    if taken:
        render.out(f"took the lock from build {holder.build} ({holder.user}@{holder.host}, pid {holder.pid})")
        return 0
    render.err("the lock passed to another build meanwhile; nothing was done")
    return LockHeld.exit_code


def _told(project: Project, holder: Holder | None) -> dict[str, Any]:
    """The object of `windrow lock show --json`, schema windrow.lock/1."""
    name, branch = project.name
    return {"schema": "windrow.lock/1", "project": name, "branch": branch, "holder": _fields(holder)}


def _fields(holder: Holder | None) -> dict[str, Any] | None:
    fields = ("build", "pid", "host", "user", "target", "since", "renewed", "fence")
    return {name: getattr(holder, name) for name in fields} if holder else None
