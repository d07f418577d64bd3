"""windrow lock show, lock break."""

from __future__ import annotations

import time
from typing import Any

import click

from cli import render
from cli.options import given_project, project_options
from coordinator.lock.lease import age
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
        fields = ("build", "pid", "host", "user", "target", "since", "renewed", "fence")
        held = {name: getattr(holder, name) for name in fields} if holder else None
        name, branch = project.name
        render.as_json({"schema": "windrow.lock/1", "project": name, "branch": branch, "holder": held})
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
    if holder is None:
        render.out("the lock is free; nothing was done")
        return 0
    if kept.seize(holder.nonce):
        render.out(f"took the lock from build {holder.build} ({holder.user}@{holder.host}, pid {holder.pid})")
        return 0
    render.err("the lock passed to another build meanwhile; nothing was done")
    return LockHeld.exit_code
