"""windrow farm up, status, down: a farm on this machine, without root."""

from __future__ import annotations

import os
import shlex

import click
import msgspec

from cli import gitignore, render
from cli.local_farm import WORKERS, FarmState, LocalFarm
from cli.options import start_folder
from cli.performers import slots_of
from shared.clock import SystemClock
from shared.redaction import redact
from shared.settings_keys import LOCAL_FILE
from shared.settings_load import find_root, load_without_project

_dir = click.option(
    "--dir", "folder", metavar="DIR", help="Where its state is (default: in the user's cache directory)."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


@click.group()
def farm() -> None:
    """Start, show and stop a farm on this machine."""


@farm.command()
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    help=f"Worker processes (default: as many as there are, else {WORKERS}).",
)
@click.option("--slots", type=click.IntRange(1, 1024), help="Jobs at once of each (default: the cores, shared out).")
@click.option("--write", is_flag=True, help="Have the project you are in use it, by a windrow.local.toml.")
@_dir
@_json
def up(*, workers: int | None, slots: int | None, write: bool, folder: str | None, as_json: bool) -> int:
    """Start a broker, a bucket and workers. When they run already, bring the workers to the number given."""
    # Looked at before anything is started, so that a wrong folder costs nothing.
    root = find_root(start_folder(None)) if write else None
    local = opened(folder)
    if root is not None:
        local.may_write(root)
    state, before = local.up(workers=workers, slots=slots or max(1, slots_of(0) // (workers or WORKERS)))
    path = local.write(state, root) if root is not None else None
    if root is not None and gitignore.of_git(root) and gitignore.add(root / ".gitignore", [LOCAL_FILE]):
        render.err(f"added {LOCAL_FILE} to .gitignore: it holds the broker's password")
    if as_json:
        render.as_json(as_object(local, state) | {"was_up": before.up, "written": str(path) if path else None})
        return 0
    same = before.up and before.workers == state.workers
    render.err(f"the farm {'is up already' if same else 'is up'}: {_line(state)}")
    if path is not None:
        render.err(f"wrote {path}; builds here use it now")
    else:
        render.err("to use it, set these variables (or have a project use it: windrow farm up --write)")
        for line in exports(local, state):
            render.out(line)
    return 0


@farm.command()
@_dir
@_json
def status(*, folder: str | None, as_json: bool) -> int:
    """Show what runs, and what it is doing."""
    local = opened(folder)
    state = local.status()
    if as_json:
        render.as_json(as_object(local, state))
        return 0
    if not state.any:
        render.out("no farm runs on this machine")
        return 0
    render.out(f"the farm is {'up' if state.up else 'half up'}: {_line(state)}")
    rows = [
        (beat.id, render.plural(beat.slots, "slot"), ", ".join(beat.platforms) or "none yet", _doing(beat.running))
        for beat in state.beats
    ]
    for line in render.table(rows):
        render.out(line)
    return 0


@farm.command()
@_dir
def down(*, folder: str | None) -> int:
    """Stop it all. What it stored stays for the next time."""
    local = opened(folder)
    before = local.down()
    render.err(
        f"the farm is down; what it stored is in {before.folder}" if before.any else "no farm ran on this machine"
    )
    return 0


def opened(folder: str | None) -> LocalFarm:
    """The farm of a folder, by default of the user's cache directory."""
    if folder is None:
        cache = load_without_project(start_folder(None), flags={}, environ=os.environ).cache_dir
        return LocalFarm(cache / "farm", clock=SystemClock(), environ=os.environ)
    return LocalFarm(start_folder(None) / folder, clock=SystemClock(), environ=os.environ)


def exports(local: LocalFarm, state: FarmState) -> list[str]:
    """Lines for a shell that have builds use the farm; they name files that hold secrets, and hold none."""
    storage = local.settings(state)["storage"]
    lines = [f"export WINDROW_STORAGE__{key.upper()}={shlex.quote(value)}" for key, value in storage.items()]
    return [*lines, f'export WINDROW_FARM__BROKER="$(cat {shlex.quote(str(local.broker_file))})"']


def as_object(local: LocalFarm, state: FarmState) -> dict[str, object]:
    """The state as `windrow.farm/1`, without the broker's password."""
    settings = {
        table: {key: redact(value) for key, value in values.items()} for table, values in local.settings(state).items()
    }
    return {
        "schema": "windrow.farm/1",
        "up": state.up,
        "folder": state.folder,
        "settings": settings if state.any else None,
        "broker_file": str(local.broker_file) if state.broker else None,
        "worker_pids": list(state.workers),
        "workers": msgspec.to_builtins(state.beats),
    }


def _line(state: FarmState) -> str:
    workers = render.plural(len(state.workers), "worker")
    return f"broker {redact(state.broker) or 'down'}, storage {state.endpoint or 'down'}, {workers}"


def _doing(running: tuple[object, ...]) -> str:
    return f"running {render.plural(len(running), 'batch')}".replace("batchs", "batches") if running else "idle"
