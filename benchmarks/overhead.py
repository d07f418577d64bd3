"""What a job costs over its bare command: here, and on a farm of two workers of one slot each."""

from __future__ import annotations

from pathlib import Path

from benchmarks import timing
from benchmarks.rig import Checkout, environment, farm
from benchmarks.timing import Row, Sample

JOBS = 200
KINDS = {"cp": 'cp "$0" "$1"', "sleep 20 ms": 'sleep 0.02; cp "$0" "$1"'}
RULES = """\
[project]
name = "overhead"

[[rule]]
name = "one"
each = "src/*.txt"
command = ["sh", "-c", '{script}', "{{in}}", "{{out}}"]
outputs = ["build/{{stem}}.out"]
"""


def _project(folder: Path, script: str) -> None:
    (folder / "src").mkdir(parents=True)
    (folder / "bare").mkdir()
    (folder / "windrow.toml").write_text(RULES.format(script=script))
    (folder / ".gitignore").write_text("build/\nbare/\n.windrow/\n*.json\n")
    (folder / "script").write_text(script + "\n")
    command = f"sh -c '{script.replace('$', '$$')}' $< $@"
    names = " ".join(f"bare/{number}.out" for number in range(JOBS))
    (folder / "Makefile").write_text(f".PHONY: {names}\nall: {names}\n{names}: bare/%.out: src/%.txt\n\t@{command}\n")


class _Anew:
    """Every build has all of its files changed before it, so that no stored result fits."""

    def __init__(self) -> None:
        self.count = 0

    def change(self, folder: Path) -> None:
        self.count += 1
        for number in range(JOBS):
            (folder / f"src/{number}.txt").write_text(f"{number} {self.count}\n")


def overhead(home: Path) -> list[Row]:
    """Seconds for 200 jobs, two at a time; the note is milliseconds a job over the bare commands."""
    found: list[Row] = []
    for kind, script in KINDS.items():
        folder = home / kind.replace(" ", "-")
        folder.mkdir()
        anew = _Anew()
        here, there = Checkout(folder / "here", folder / "cache"), Checkout(folder / "there", folder / "farm")
        for checkout in (here, there):
            _project(checkout.folder, script)
        bare = environment(folder)

        def windrow(checkout: Checkout, anew: _Anew = anew) -> Sample:
            anew.change(checkout.folder)
            taken = checkout.counted("-j2")
            assert taken.count == JOBS, taken
            return taken

        def xargs(folder: Path = here.folder, script: str = script, bare: dict[str, str] = bare) -> Sample:
            words = f"seq 0 {JOBS - 1} | xargs -P2 -I@ sh -c '{script}' src/@.txt bare/@.out"
            return timing.run(["sh", "-c", words], folder, bare)

        def make(folder: Path = here.folder, bare: dict[str, str] = bare) -> Sample:
            return timing.run(["make", "-s", "-j2"], folder, bare)

        anew.change(here.folder)
        with farm(there, workers=2, slots=1):
            taken = timing.compare(
                f"{JOBS} x {kind}",
                {
                    "xargs -P2": xargs,
                    "make -j2": make,
                    "windrow, 2 slots": lambda here=here: windrow(here),  # type: ignore[misc]
                    "farm, 2 workers x 1": lambda there=there: windrow(there),  # type: ignore[misc]
                },
            )
        base = taken[0].wall
        found += [
            Row(row.name, row.who, row.wall, row.spread, row.cpu, row.ratio, -1, _note(row, base)) for row in taken
        ]
    return found


def _note(row: Row, base: float) -> str:
    return f"{1000 * (row.wall - base) / JOBS:+.1f} ms a job" if row.wall != base else ""
