"""`python -m benchmarks.real [NAME…]`: real projects by ninja and by windrow-ninja, here and on a farm of 4 workers.

Prints a table and keeps it as real-NAME.json, in benchmarks/results/local or with --record in benchmarks/results.
Needs the network once, about 2 GB in the temporary folder, and gcc, cmake and ninja.

What takes longer than one may wait is done in pieces: `--in FOLDER --for SECONDS z3` stops after so long, with 75, and
the same command goes on where it stopped; the times of a case's pieces are added up.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import timing
from benchmarks.__main__ import RESULTS
from benchmarks.real import comparing, duckdb, engines, glib, harness, ninja_itself, sources, z3, zstd_cmake
from benchmarks.real.engines import Engine, Failed, Ninja, Windrow
from benchmarks.real.harness import Place, TimeUp
from benchmarks.real.notes import Left
from benchmarks.real.project import Project
from benchmarks.real.sources import Unavailable
from benchmarks.timing import Row

PROJECTS = {
    project.name: project
    for project in (
        zstd_cmake.PROJECT,
        ninja_itself.PROJECT,
        glib.LIBRARIES,
        glib.PROJECT,
        z3.PROJECT,
        z3.WHOLE,
        duckdb.PROJECT,
    )
}
WORKERS = 4
NOT_YET = 75  # EX_TEMPFAIL


def main() -> int:
    """Run what is named, or everything; 1 when something was unequal or failed, 75 when time was up."""
    # Told to stop it ends as by Ctrl-C: with the farm that it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PROJECTS)} (default: all)")
    parser.add_argument("--record", action="store_true", help="keep the results under version control")
    parser.add_argument("--no-farm", action="store_true", help="leave the farm out")
    parser.add_argument("--in", dest="folder", type=Path, metavar="FOLDER", help="where to work, and to go on")
    parser.add_argument("--for", dest="seconds", type=float, default=math.inf, metavar="SECONDS", help="then stop")
    options = parser.parse_args()
    if not math.isinf(options.seconds) and not options.folder:
        parser.error("--for needs --in: what is stopped is gone on with there")
    options.until = time.monotonic() + options.seconds
    unknown = set(options.names) - set(PROJECTS)
    if unknown:
        parser.error(f"no project is named {', '.join(sorted(unknown))}")
    wrong = 0
    for name in options.names or PROJECTS:
        with _home(name, options.folder) as home:
            try:
                wrong += _project(PROJECTS[name], home, options)
            except TimeUp as stopped:
                print(f"time is up: {name}, {stopped}; the same command goes on", flush=True)
                return NOT_YET
    return 1 if wrong else 0


@contextmanager
def _home(name: str, folder: Path | None) -> Iterator[Path]:
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="windrow-real-") as home:
            yield Path(home).resolve()
        return
    home = folder.resolve() / name
    home.mkdir(parents=True, exist_ok=True)
    yield home


def _project(project: Project, home: Path, options: argparse.Namespace) -> int:
    """How many cases were not as they should be."""
    load = os.getloadavg()[0]
    try:
        place = Place(project, home, sources.cache_folder())
        title = f"{project.name} {project.version}: {place.edges} edges"
        title += f", {len(place.targets)} targets of them" if place.targets else ""
        title += f", {project.form}" if project.form else ""
        by_ninja = place.through(Ninja(place.environ), place.cases(), options.until)
    except Unavailable as error:
        print(f"\n{project.name} is left out: {error}", flush=True)
        return 0
    rows, details, wrong = [_row(name, "ninja -j2", left) for name, left in by_ninja.items()], {}, 0
    own = {**place.environ, "WINDROW_CACHE_DIR": str(home / "cache")}
    found = _against(place, Windrow("windrow-ninja -j2", own), by_ninja, rows, details, options.until)
    wrong += found
    if not options.no_farm:
        with engines.farm(own, home / "farm", workers=WORKERS) as environ:
            # Of a machine that has nothing yet.
            engine = Windrow(f"farm, {WORKERS} x 1", {**environ, "WINDROW_CACHE_DIR": str(home / "another")}, WORKERS)
            wrong += _against(place, engine, by_ninja, rows, details, options.until)
    order = {name: number for number, name in enumerate(by_ninja)}
    rows.sort(key=lambda row: order[row.name])
    timing.show(title, rows)
    aside = [f"{pattern}: {why}" for pattern, why in (*comparing.ASIDE, *project.differs)]
    folder = RESULTS if options.record else RESULTS / "local"
    timing.keep(folder, f"real-{project.name}", title, rows, load, more={"not compared": aside, "cases": details})
    return wrong


def _against(
    place: Place, engine: Engine, by_ninja: dict[str, Left], rows: list[Row], details: dict[str, object], until: float
) -> int:
    try:
        left = place.through(engine, place.cases(), until)
    except Failed as error:
        print(f"\n{place.project.name} by {engine.name} failed: {error}", flush=True)
        details[engine.name] = {"failed": str(error)[-2000:]}
        return 1
    told: dict[str, object] = {}
    wrong = 0
    for name, verdict in harness.judge(by_ninja, left).items():
        wrong += bool(verdict.idle or verdict.differing)
        note = (
            f"{len(left[name].tree)} files equal" if not verdict.differing else f"{len(verdict.differing)} FILES DIFFER"
        )
        note += f", {len(verdict.idle)} NEEDLESS" if verdict.idle else ""
        note += f", {len(verdict.spared)} spared" if verdict.spared else ""
        rows.append(_row(name, engine.name, left[name], note, by_ninja[name]))
        told[name] = {**verdict._asdict(), "ways": left[name].ran.ways}
        for path in (*verdict.idle[:5], *verdict.differing[:10]):
            print(f"{place.project.name}, {engine.name}, {name}: {path}", flush=True)
    details[engine.name] = told
    return wrong


def _row(name: str, who: str, left: Left, note: str = "", peer: Left | None = None) -> Row:
    note += f"{', ' if note else ''}in {left.ran.pieces} pieces" if left.ran.pieces > 1 else ""
    wall = round(left.ran.seconds, 3)
    ratio = round(peer.ran.seconds / wall, 3) if peer and wall else 0.0
    return Row(name, who, wall, (wall, wall), round(left.ran.cpu, 3), ratio, len(left.ran.executed), note)


if __name__ == "__main__":
    sys.exit(main())
