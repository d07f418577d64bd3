"""windrow worker: runs jobs for the builds of a broker until it is told to stop."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options import start_folder
from cli.performers import sandbox_memory, sandbox_root, slots_of
from shared import hashing, toolchain
from shared.clock import Clock, SystemClock
from shared.errors import ConfigError, NoProject, StoreUnavailable
from shared.settings import Settings
from shared.settings_load import load, load_without_project

if TYPE_CHECKING:
    from shared.storage.blobs import BlobStore
    from workers.sandbox.memory import Memory

STORE_PAUSE = 1.0  # seconds between two looks whether the store answers

_log = logging.getLogger("windrow.worker")


@click.command()
@click.option("--broker", metavar="URL", help="redis://host:port/db of the farm.")
@click.option("--storage", metavar="URL", help="s3://bucket/prefix or file:///path that the farm's builds use.")
@click.option("--endpoint", metavar="URL", help="The S3 server, when it is not AWS.")
@click.option("--slots", type=click.IntRange(1, 1024), help="Jobs at once (default: number of cores).")
@click.option("--name", metavar="NAME", default="", help="What to call this worker (default: the host's name).")
@click.option("--sandbox-dir", metavar="DIR", help="Where jobs get their directories.")
@click.option("--cache-dir", metavar="DIR", help="Where blobs are kept for the next job.")
@click.option(
    "--platform", "platforms", metavar="NAME", multiple=True, help="Serve this platform whatever the tools are."
)
@click.option("--finish", metavar="SECONDS", type=click.FloatRange(0), help="Time for running jobs when told to stop.")
@click.option("-C", "--directory", metavar="DIR", help="Take settings from the project in DIR.")
@click.option("-v", "--verbose", is_flag=True, help="Tell more.")
def worker(**given: Any) -> int:
    """Run a worker.

    It stops taking jobs at SIGTERM or Ctrl-C, finishes those that run and leaves; a second one kills them.
    """
    logging.basicConfig(
        level=logging.DEBUG if given["verbose"] else logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    # Celery and kombu say at length what presence says in a line.
    for name in ("celery", "kombu", "boto3", "botocore", "urllib3"):
        logging.getLogger(name).setLevel(logging.ERROR)
    settings = settings_of(given)
    return run(
        settings,
        slots=given["slots"] or slots_of(settings.jobs),
        name=given["name"],
        sandbox=Path(given["sandbox_dir"]).absolute() if given["sandbox_dir"] else sandbox_root(settings.cache_dir),
        memory=None if given["sandbox_dir"] else sandbox_memory(),
        platforms=given["platforms"],
        finish=given["finish"],
    )


def settings_of(given: dict[str, Any]) -> Settings:
    """Flags > WINDROW_* > the project's settings, if there is one > defaults; ConfigError when one is missing."""
    flags = {
        "farm.broker": given["broker"],
        "storage.url": given["storage"],
        "storage.endpoint": given["endpoint"],
        "cache_dir": str(Path(given["cache_dir"]).absolute()) if given["cache_dir"] else None,
    }
    folder = start_folder(given["directory"])
    try:
        settings = load(folder, flags=flags, environ=os.environ)
    except NoProject:
        settings = load_without_project(folder, flags=flags, environ=os.environ)
    for value, flag, key in (
        (settings.farm.broker, "--broker", "farm.broker"),
        (settings.storage.url, "--storage", "storage.url"),
    ):
        if not value:
            variable = f"WINDROW_{key.replace('.', '__').upper()}"
            raise ConfigError(
                f"a worker needs {flag}",
                at=key,
                why="it must be what the builds use",
                fix=f"give {flag}, or set {variable}",
            )
    return settings


def await_store(store: BlobStore, clock: Clock) -> None:
    """Wait until the store answers: jobs of a worker that cannot reach it would fail one by one, and not elsewhere.

    ConfigError or LocalError where there are no keys for it.
    """
    told = ""
    while True:
        try:
            store.find_missing((hashing.of_bytes(b""),))
        except StoreUnavailable as error:
            why = "; ".join(filter(None, (error.why, error.fix)))
            if why != told:
                _log.warning("waiting for the store: %s (%s)", error.what, why)
            told = why
            clock.sleep(STORE_PAUSE)
        else:
            return


def run(
    settings: Settings,
    *,
    slots: int,
    name: str,
    sandbox: Path,
    memory: Memory | None = None,
    platforms: Sequence[str] = (),
    finish: float | None = None,
) -> int:
    """Serve until told to stop; the exit code."""
    # Heavy, and all of it is loaded before the current directory changes.
    from shared.storage.compose import open_stores  # noqa: PLC0415
    from workers import app  # noqa: PLC0415
    from workers.perform import Worker  # noqa: PLC0415
    from workers.workshop import Workshop  # noqa: PLC0415

    clock, path = SystemClock(), os.environ.get("PATH", os.defpath)
    stores = open_stores(settings)
    cache = settings.cache_dir / "toolchains.json"
    pinned = (*platforms, *((settings.fingerprint,) if settings.fingerprint else ()))

    def performer(worker_id: str) -> Worker:
        performs = Worker(
            Workshop(
                blobs=stores.blobs,
                results=stores.kept,
                name=worker_id,
                sandbox_root=sandbox,
                slots=slots,
                clock=clock,
                path=path,
                memory=memory,
                patience=settings.store_patience,
                elsewhere=True,
            )
        )
        performs.prepare()
        return performs

    try:
        await_store(stores.far, clock)
    except KeyboardInterrupt:
        return 0  # told to leave before it came
    options = app.WorkerOptions(
        broker=settings.farm.broker,
        slots=slots,
        heartbeat=settings.farm.heartbeat,
        name=name,
        pinned=pinned,
        finish_seconds=app.FINISH_SECONDS if finish is None else finish,
    )
    return app.run(
        options,
        blobs=stores.blobs,
        performer=performer,
        fingerprint=lambda tools: toolchain.fingerprint(tools, cache=cache, path=path).fingerprint,
        clock=clock,
    )
