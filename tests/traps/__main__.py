"""python -m tests.traps [--engines windrow,make,ninja] [--why] [NUMBER…]: prints the table."""

from __future__ import annotations

import argparse
import sys

from tests.traps.engines import ENGINES
from tests.traps.table import AS_NINJA, LEFT_OUT, NOT_IN_NINJA, rows


def main() -> None:
    """Walk the engines into the traps and print what became of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.traps", description=main.__doc__)
    parser.add_argument("numbers", nargs="*", type=int, help="only these traps")
    parser.add_argument("--engines", default=",".join(ENGINES), help="comma-separated (default: all)")
    parser.add_argument("--why", action="store_true", help="print on stderr what was found")
    given = parser.parse_args()
    names = given.engines.split(",")
    print("| # | trap |", " | ".join(names), "|")
    print("|--:|------|" + "---|" * len(names))
    for trap, words, notes in rows(names, numbers=given.numbers):
        print(f"| {trap.number} | {trap.title} |", " | ".join(words), "|")
        if given.why and notes:
            print(f"{trap.number} {trap.name}\n{notes}\n", file=sys.stderr)
    if given.numbers:
        return
    print("\nLeft out:\n")
    for what, why in LEFT_OUT.items():
        print(f"* {what}: {why}.")
    if "windrow-ninja" in names:
        print("\nWith a build.ninja as ninja does it:\n")
        for name, (_, why) in AS_NINJA.items():
            print(f"* {name.replace('_', ' ')}: {why}.")
        print("\nNot to be said in a build.ninja:\n")
        for name, why in NOT_IN_NINJA.items():
            print(f"* {name.replace('_', ' ')}: {why}.")


main()
