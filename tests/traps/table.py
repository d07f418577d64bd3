"""The table of engines and traps, as Markdown."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import TimeoutExpired

from tests.traps import changes, declared, headers, manifests, state, stopped, tools, tree, world
from tests.traps.arena import Arena
from tests.traps.engines import ENGINES, Engine
from tests.traps.verdict import TRAPS, NotExpressible, Trap, Verdict

__all__ = ["LEFT_OUT", "TRAPS", "rows", "walk"]

LEFT_OUT = {
    "39, mounts that ignore case": "need a file system of that kind; that names differing in case are two files is tested",
    "42, reflinks and sparse files": "a file's content is all that counts, and that is tested",
    "43, libraries, specs files, sysroot, umask, debug prefixes": "no part of the fingerprint: name them in [toolchain] tools",
    "49, a worker that comes back late": "needs a farm: tests/live/test_farm_faults.py freezes and thaws workers",
    "51, clocks of several hosts": "here only what they leave behind, moved mtimes; times of hosts are never compared",
    "52, LFS, submodules, line ending filters": "to the scan they are files like any other",
    "58, NFS, overlayfs, coarse file systems": "need such mounts; coarse times are tested in tests/unit",
    "60, a hundred thousand files": "a measurement: benchmarks/; two thousand are tested",
}

# Where Windrow does with a build.ninja what ninja does, though it does better with rules of its own.
AS_NINJA = {
    "declared_output_never_written": (
        Verdict.STALE,
        "ninja lets it pass, and projects rely on it; the edge runs each time",
    ),
    "folder_made_for_an_output": (Verdict.STALE, "to ninja a folder is an output like another"),
    "depfile_declared_and_not_written": (Verdict.STALE, "ninja takes it for one that names nothing"),
    "output_that_is_a_symlink": (Verdict.STALE, "CMake makes such outputs: they are kept as links"),
    "step_writes_what_it_does_not_declare": (
        Verdict.STALE,
        "custom commands do; what else was written is kept with the outputs",
    ),
}

# What a build.ninja cannot say, by scenario, or where it asks for what `windrow ninja` has no word for.
NOT_IN_NINJA = {
    "environment_variable_changed": "a build.ninja names no variables; [ninja] pass_env does",
    "unset_and_empty_variables_differ": "a build.ninja names no variables; [ninja] pass_env does",
    "file_added_and_removed_under_a_glob": "a build.ninja has no globs",
    "older_file_added_under_a_glob": "a build.ninja has no globs",
    "empty_files_of_one_content": "a build.ninja has no globs",
    "many_files_deleted_and_renamed": "a build.ninja has no globs",
    "newline_in_a_command": "a command is one line",
    "step_that_is_not_deterministic": "--no-cache is a flag of `windrow build`",
    "rules_edited_without_effect": "about windrow.toml; manifest_edited_without_effect is the same of a build.ninja",
    "broken_rules": "about windrow.toml; broken_manifest is the same of a build.ninja",
}

# Importing them is what fills the list; from here on it is in order.
assert all((changes, declared, headers, manifests, state, stopped, tools, tree, world))
TRAPS.sort(key=lambda trap: trap.number)

WORDS = {
    Verdict.RIGHT: "right",
    Verdict.NEEDLESS: "needless work",
    Verdict.STALE: "**stale**",
    Verdict.WRONG: "**wrong**",
}


def walk(engine: Engine, trap: Trap, root: Path) -> tuple[Verdict | None, str]:
    """What the engine made of a trap, and why; None if it cannot come to it."""
    if trap.only and engine.name not in trap.only:
        return None, ""
    with Arena(engine, root) as arena:
        try:
            trap.run(arena)
        except NotExpressible:
            return None, ""
        except (AssertionError, OSError, TimeoutExpired) as error:
            # What a scenario relies on did not come about, e.g. an output that was to be read is not there.
            arena.blame(Verdict.WRONG, f"{type(error).__name__}: {error}")
    return arena.verdict, "\n".join(text for verdict, text in arena.findings if verdict is arena.verdict)


def rows(names: Sequence[str], *, numbers: Sequence[int] = (), jobs: int = 2) -> list[tuple[Trap, list[str], str]]:
    """For each trap the engines' verdicts in words, and everything that was found."""
    chosen = [trap for trap in TRAPS if not numbers or trap.number in numbers]
    with tempfile.TemporaryDirectory(prefix="traps-") as folder, ThreadPoolExecutor(jobs) as pool:

        def cell(place: tuple[Trap, str]) -> tuple[Verdict | None, str]:
            trap, name = place
            return walk(ENGINES[name], trap, Path(folder) / f"{trap.number}-{trap.name}" / name)

        found = list(pool.map(cell, [(trap, name) for trap in chosen for name in names]))
    made = []
    for number, trap in enumerate(chosen):
        cells = found[number * len(names) : (number + 1) * len(names)]
        words = [WORDS[verdict] if verdict is not None else "–" for verdict, _ in cells]
        notes = "\n".join(f"{name}: {text}" for name, (_, text) in zip(names, cells, strict=True) if text)
        made.append((trap, words, notes))
    return made
