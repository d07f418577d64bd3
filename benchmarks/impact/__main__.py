"""`python -m benchmarks.impact faults|twenty [NAME…]`: fetches what it needs, prints a table, keeps it as JSON.

`faults` takes packages' sources from PyPI (itsdangerous, boltons, click) and a small project that holds the traps of
test selection; it injects faults, and compares what a full run shows to fail with what Windrow and pytest-testmon
select.
They go to benchmarks/results/local; with --record to benchmarks/results.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

from benchmarks.impact import faults, twenty

RESULTS = Path(__file__).parent.parent / "results"


def main() -> None:
    """Run what is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.impact", description=__doc__)
    parser.add_argument("what", choices=["faults", "twenty"])
    parser.add_argument("names", nargs="*", help=f"projects, of {', '.join(faults.PROJECTS)} (default: all)")
    parser.add_argument("--count", type=int, default=25, help="faults that fail a test, in each (default: 25)")
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="begin no fault of a project after so long a time"
    )
    parser.add_argument("--record", action="store_true", help="keep the results under version control")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="windrow-impact-") as home:
        if options.what == "twenty":
            found = twenty.measure(Path(home))
            _keep("impact-twenty", found, record=options.record)
        else:
            for name in options.names or faults.PROJECTS:
                found = faults.measure(Path(home), name, options.count, options.seconds)
                _keep(f"impact-faults-{name}", found, record=options.record)


def _keep(name: str, found: dict[str, object], *, record: bool) -> None:
    folder = RESULTS if record else RESULTS / "local"
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"load": round(os.getloadavg()[0], 1), **found}, indent=1)
    (folder / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
