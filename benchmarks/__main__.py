"""`python -m benchmarks [NAME…]`: measures, prints tables, and keeps them as JSON.

They go to benchmarks/results/local; with --record to benchmarks/results, which is under version control.
WINDROW_BENCH_ROUNDS is how often each contender runs (5).
Real projects that have a build.ninja are measured by `python -m benchmarks.real`.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    clusters,
    dispatch,
    edges,
    fresh,
    include_scan,
    incremental,
    library,
    ninja_language,
    overhead,
    rooted,
    scan_speed,
    sleeping,
    startup,
    timing,
)
from benchmarks.timing import Row

RESULTS = Path(__file__).parent / "results"

# In the order of time they take; all together about an hour and a half on two cores.
TABLES: dict[str, tuple[str, Callable[[Path], list[Row]]]] = {
    "startup": ("Startup: before anything is done", startup.startup),
    "scan": ("Scan, import and diff alone, without a process", scan_speed.tables),
    "ninja-language": ("A build.ninja of 100,000 edges, read in this process", ninja_language.tables),
    "no-op": ("A build with nothing to do", incremental.no_op),
    "one-change": ("A build after one change", incremental.one_change),
    "clean": ("A first build of 1,000 tiny jobs, two at a time", incremental.clean),
    "overhead": ("200 jobs over their bare commands", overhead.overhead),
    "rooted": ("200 copies by a worker, their tree at its own path", rooted.rooted),
    "edges": ("build.ninja of 1,000 to 100,000 edges", edges.tables),
    "fresh": ("A fresh checkout with a warm cache", fresh.fresh),
    "dispatch": ("10,000 jobs that do nothing, through the farm", dispatch.tables),
    "clean-zstd": ("A clean build of zstd", clusters.clean),
    "clusters": ("A clean build on four slots of this machine", clusters.clusters),
    "sleeping": ("Jobs that sleep, on a farm here", sleeping.sleeping),
    "includes": ("Scan of includes against gcc -M; times of one unit", include_scan.tables),
    "zstd": ("zstd: seven changes, and a fresh checkout", library.library),
}


def main() -> None:
    """Run what is named, or everything."""
    # Told to stop it ends as by Ctrl-C: with the servers that it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TABLES)} (default: all)")
    parser.add_argument("--record", action="store_true", help="keep the results under version control")
    options = parser.parse_args()
    unknown = set(options.names) - set(TABLES)
    if unknown:
        parser.error(f"no table is named {', '.join(sorted(unknown))}")
    for name in options.names or TABLES:
        title, measure = TABLES[name]
        load = os.getloadavg()[0]
        with tempfile.TemporaryDirectory(prefix="windrow-bench-") as home:
            found = measure(Path(home).resolve())
        timing.show(title, found)
        timing.keep(RESULTS if options.record else RESULTS / "local", name, title, found, load)


if __name__ == "__main__":
    main()
