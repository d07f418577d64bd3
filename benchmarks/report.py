"""`python -m benchmarks.report`: writes what is recorded in benchmarks/results into docs/benchmarks.md, as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.__main__ import RESULTS, TABLES

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
MARK = "<!-- What follows is written by python -m benchmarks.report -->\n"


def page(text: str, results: Path = RESULTS) -> str:
    """The page with its tables as recorded; what stands before the mark stays."""
    head = text.partition(MARK)[0]
    names = [*TABLES, *sorted(path.stem for path in results.glob("real-*.json"))]
    known = (results / f"{name}.json" for name in names)
    return head + MARK + "".join(_section(path) for path in known if path.is_file())


def _section(path: Path) -> str:
    told = json.loads(path.read_text())
    link, when = f"[{path.name}](../benchmarks/results/{path.name})", f"{told['date'][:10]}, commit {told['commit']}"
    before, after = told["load"]
    lines = [
        f"\n### {told['title']}\n",
        f"{link}: {when}, load {before} before and {after} after.\n",
        "| case | who | median s | min to max | CPU s | the first : this | |",
        "|---|---|--:|--:|--:|--:|---|",
        *_rows(told["rows"]),
    ]
    return "\n".join(lines) + "\n"


def _rows(rows: list[dict[str, Any]]) -> Iterator[str]:
    last = ""
    for row in rows:
        low, high = row["spread"]
        spread = f"{low:.3f} to {high:.3f}" if low != high else ""
        notes = [f"{row['count']:,} executed"] if row["count"] >= 0 else []
        notes += [row["note"]] if row["note"] else []
        cells = [
            row["name"] if row["name"] != last else "",
            row["who"],
            f"{row['wall']:.3f}",
            spread,
            f"{row['cpu']:.3f}" if row["cpu"] else "",
            f"{row['ratio']:.2f}" if row["ratio"] else "",
            ", ".join(notes),
        ]
        last = row["name"]
        yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(page(PAGE.read_text()))


if __name__ == "__main__":
    main()
