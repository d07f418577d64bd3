"""Traps 34 to 36, 49 to 59: builds that meet, stop half-way, or find the world changed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from tests.traps.arena import DAY, PATIENCE, Arena, tree
from tests.traps.projects import SHOUT, STRIP, two_steps
from tests.traps.verdict import NotExpressible, Step, trap


@trap(34, only=("windrow", "windrow-ninja"))
def two_builds_at_once(arena: Arena) -> None:
    """Two builds of one tree: the second says who is building, or waits if told to."""
    gate = arena.gate()
    arena.put("in.txt", "alpha\n")
    arena.rules(replace(STRIP, command=f"{gate.command}; sed /^#/d in.txt > mid.txt"), SHOUT)
    gate.shut()
    first = arena.start()
    gate.await_step()

    refused = arena.build()
    may_wait = arena.engine.name == "windrow"  # ninja has no flag for it
    waiting = arena.start(argv=[*arena.engine.argv(), "--wait"]) if may_wait else None
    gate.open()

    arena.check(refused.code == 9, f"exit code {refused.code}, not 9:\n{refused.output}")
    arena.check(str(first.pid) in refused.output, f"does not say who is building:\n{refused.output}")
    arena.judge(arena.end(first), runs=2)
    if waiting:
        arena.judge(arena.end(waiting), runs=0)


@trap(34, only=("windrow", "windrow-ninja"))
def stopped_build_keeps_its_lock(arena: Arena) -> None:
    """A build that merely takes long keeps its lock; one that is dead does not."""
    gate = arena.gate()
    arena.put("in.txt", "alpha\n")
    arena.rules(replace(STRIP, command=f"{gate.command}; sed /^#/d in.txt > mid.txt"), SHOUT)
    gate.shut()
    first = arena.start()
    gate.await_step()
    for path in arena.engine.state_files(arena.root):
        # As a build that began long ago would have left them.
        with contextlib.suppress(FileNotFoundError):
            os.utime(path, ns=(10**18, 10**18))

    refused = arena.build()
    arena.check(refused.code == 9, f"a long build lost its lock: exit code {refused.code}\n{refused.output}")
    os.killpg(first.pid, signal.SIGKILL)
    arena.end(first)
    arena.bury()

    arena.right(runs=2)


_DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut in half": lambda data: data[: len(data) // 2],
    "emptied": lambda data: b"",
    "overwritten": lambda data: os.urandom(len(data)),
    "appended to": lambda data: data + b"\x00garbage{{{\n",
    "turned to JSON of another kind": lambda data: b'{"schema": "windrow.unknown/99", "version": 99}\n',
    "turned to a list": lambda data: b"[]\n",
}


@trap(35, only=("windrow", "windrow-ninja", "ninja"))
def damaged_local_state(arena: Arena) -> None:
    """The engine's local files are torn, empty, garbage or of another version: never a crash."""
    two_steps(arena)

    for how, damage in _DAMAGE.items():
        damaged = [path for path in arena.engine.state_files(arena.root) if _is_workspace(arena, path)]
        for path in damaged:
            path.write_bytes(damage(path.read_bytes()))
        built = arena.right(runs=0, cacheless=2)
        arena.check(built.code == 0, f"state {how}: {[path.name for path in damaged]}")
        arena.put("in.txt", f"after {how}\n")
        arena.right(runs=2)


@trap(35, only=("windrow", "windrow-ninja"))
def damaged_local_state_file_by_file(arena: Arena) -> None:
    """One local file is damaged and the others are not."""
    two_steps(arena)
    names = [path for path in arena.engine.state_files(arena.root) if _is_workspace(arena, path)]

    for number, path in enumerate(names):
        path.write_bytes(_DAMAGE["cut in half"](path.read_bytes()) if path.exists() else b"")
        arena.right(runs=0)
        arena.put("in.txt", f"edit {number}\n", keep_times=True)
        arena.right(runs=2)


@trap(35, only=("windrow", "windrow-ninja"))
def local_state_deleted(arena: Arena) -> None:
    """The workspace's own files are deleted: that costs time, and no work."""
    two_steps(arena)

    shutil.rmtree(arena.project / ".windrow")

    arena.right(runs=0)


@trap(35, only=("windrow", "windrow-ninja"))
def damaged_blobs(arena: Arena) -> None:
    """Every stored blob is damaged: none is served, they are made anew."""
    two_steps(arena)
    blobs = [path for path in (arena.root / "cache").rglob("*") if path.is_file() and len(path.name) == 64]
    arena.check(bool(blobs), "there are no blobs")

    for path in blobs:
        if "results" not in path.parts:
            path.chmod(0o644)
            path.write_bytes(b"X" * path.stat().st_size)
    arena.remove("mid.txt", "final.txt")

    arena.right(runs=2)


@trap(35, only=("windrow", "windrow-ninja", "ninja"))
def dry_run_writes_nothing(arena: Arena) -> None:
    """A dry run shows what would run and writes nothing."""
    two_steps(arena)
    arena.put("in.txt", "gamma\n")
    before = tree(arena.root)

    dry = arena.end(arena.start(argv=[*arena.engine.argv(), "-n"]))

    arena.check(dry.code == 0 and not dry.ran, dry.output)
    changed = {path for path, status in tree(arena.root).items() if before.get(path) != status}
    arena.check(not changed, f"wrote {sorted(changed)}")
    if arena.engine.name == "windrow":
        planned = arena.windrow("plan", "--json")
        arena.check(sum(map(len, planned.report["layers"])) == 2, planned.output)
        changed = {path for path, status in tree(arena.root).items() if before.get(path) != status}
        arena.check(not changed, f"plan wrote {sorted(changed)}")
    arena.right(runs=2)


def _is_workspace(arena: Arena, path: Path) -> bool:
    """Local state, as opposed to stored truth; locks are empty files that are never read."""
    return path.parent == arena.project or (".windrow" in path.parts and "journal" not in path.name)


@trap(36, only=("windrow", "windrow-ninja"))
def disk_full_while_committing(arena: Arena) -> None:
    """The disk is full somewhere between the first blob and the commit: the old revision stands."""
    if os.geteuid() != 0:
        raise NotExpressible
    disk = arena.root / "cache"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode != 0:
        raise NotExpressible
    try:
        two_steps(arena)
        failures = 0
        for free in range(12):
            arena.put("in.txt", f"with {free} pages free\n")
            with _filled(disk / "filler", free_pages=free):
                revision = _revision(arena)
                built = arena.build()
                if built.code != 0:
                    failures += 1
                    arena.check(built.code == 36, f"exit code {built.code} with {free} pages free:\n{built.output}")
                    arena.check("space" in built.output, f"does not say why:\n{built.output}")
                    arena.check(_revision(arena) == revision, f"revision moved with {free} pages free:\n{built.output}")
            arena.right()
        arena.check(failures > 0, "the disk was never full: the scenario is too weak")
    finally:
        subprocess.run(["umount", disk], check=True)


@trap(36, only=("windrow", "windrow-ninja"))
def files_that_may_not_grow(arena: Arena) -> None:
    """No file may grow beyond a limit while a build writes: the old revision stands."""
    two_steps(arena)
    arena.put("in.txt", "gamma " * 2000 + "\n")
    revision = _revision(arena)

    limited = ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh", *arena.engine.argv()]
    built = arena.end(arena.start(argv=limited))

    arena.check(built.code in (1, 36), f"exit code {built.code}:\n{built.output}")
    arena.check(_revision(arena) == revision, "the revision moved")
    arena.right(runs=2)


@contextlib.contextmanager
def _filled(filler: Path, *, free_pages: int) -> Iterator[None]:
    block = b"\0" * 4096
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(block)
    size = filler.stat().st_size
    os.truncate(filler, max(0, size - free_pages * 4096))
    try:
        yield
    finally:
        filler.unlink()


def _revision(arena: Arena) -> int:
    """The current revision."""
    pointers = list((arena.root / "cache").rglob("current.json"))
    assert len(pointers) == 1, pointers
    return int(json.loads(pointers[0].read_bytes())["revision"])


@trap(50)
def source_edited_before_its_step_starts(arena: Arena) -> None:
    """A source is edited after the build began, before the step that reads it."""
    gate = arena.gate()
    arena.put("in.txt", "alpha\n")
    arena.put("extra.txt", "extra\n")
    arena.rules(
        replace(STRIP, command=f"{gate.command}; sed /^#/d in.txt > mid.txt"),
        replace(SHOUT, command="cat mid.txt extra.txt > final.txt", inputs=("mid.txt", "extra.txt")),
    )
    gate.shut()
    running = arena.start()
    gate.await_step()

    arena.put("extra.txt", "EXTRA\n")
    gate.open()

    built = arena.end(running)
    if arena.engine.name == "windrow-ninja" and arena.read("final.txt") == "alpha\nextra\n":
        # The first step was given the whole tree before the edit: so this was a build of the tree as it was then.
        arena.check(built.code == 0, built.output)
        arena.right(runs=1)
    else:
        arena.judge(built, runs=2)
    arena.right(runs=0)


@trap(50, only=("windrow", "windrow-ninja"))
def source_deleted_before_its_step_starts(arena: Arena) -> None:
    """A source is deleted after the build began, before the step that reads it."""
    gate = arena.gate()
    arena.put("in.txt", "alpha\n")
    arena.put("extra.txt", "extra\n")
    arena.rules(
        replace(STRIP, command=f"{gate.command}; sed /^#/d in.txt > mid.txt"),
        replace(SHOUT, command="cat mid.txt extra.txt > final.txt", inputs=("mid.txt", "extra.txt")),
    )
    gate.shut()
    running = arena.start()
    gate.await_step()

    arena.remove("extra.txt")
    gate.open()

    built = arena.end(running)
    if arena.engine.name == "windrow-ninja" and built.code == 0:
        # The first step was given the whole tree before that: so this was a build of the tree as it was then.
        arena.fails("extra.txt", code=2)
        arena.put("extra.txt", "extra\n")
        arena.right(runs=0)
        return
    arena.judge_failure(built, "extra.txt", code=2)
    arena.put("extra.txt", "extra\n")
    arena.right(runs=1)


@trap(51)
def outputs_from_a_clock_that_is_ahead(arena: Arena) -> None:
    """Outputs were written by a machine whose clock is a day ahead; then a source is edited."""
    two_steps(arena)
    _skew(arena, DAY)
    arena.right(runs=0)

    arena.put("in.txt", "gamma\n")

    arena.right(runs=2)


@trap(51)
def outputs_from_a_clock_that_is_behind(arena: Arena) -> None:
    """Outputs and the engine's files were written by a machine whose clock is a day behind: no work."""
    two_steps(arena)

    _skew(arena, -DAY)

    arena.right(runs=0)


def _skew(arena: Arena, by_ns: int) -> None:
    outputs = [arena.project / path for step in arena.steps for path in step.outputs]
    for path in (*outputs, *arena.engine.state_files(arena.root)):
        status = path.stat()
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + by_ns))


def _git(arena: Arena, *words: str) -> None:
    who = [
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@t",
        "-c",
        "init.defaultBranch=one",
        "-c",
        "advice.detachedHead=false",
    ]
    env = {"PATH": os.environ["PATH"], "HOME": str(arena.root / "home"), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *who, *words], cwd=arena.project, env=env, check=True, capture_output=True, timeout=PATIENCE)


def _git_project(arena: Arena) -> None:
    """Branches `one` and `two` with other contents; both built; `one` checked out."""
    arena.put(".gitignore", "/mid.txt\n/final.txt\n.ninja*\n.windrow/\n")
    arena.put("in.txt", "alpha\n")
    arena.rules(STRIP, SHOUT)
    _git(arena, "init")
    _git(arena, "add", "-A")
    _git(arena, "commit", "-m", "one")
    _git(arena, "checkout", "-b", "two")
    arena.put("in.txt", "gamma\n")
    _git(arena, "commit", "-am", "two")
    arena.right(runs=2)
    _git(arena, "checkout", "one")
    arena.right(runs=2)


@trap(52)
def git_checkout_back_and_forth(arena: Arena) -> None:
    """Another branch is checked out, and the first again: nothing runs."""
    _git_project(arena)

    for branch in ("two", "one"):
        _git(arena, "checkout", branch)
        arena.right(runs=0)


@trap(52)
def git_stash_and_pop(arena: Arena) -> None:
    """An edit is stashed and popped: nothing runs that ran before."""
    _git_project(arena)
    arena.put("in.txt", "delta\n")
    arena.right(runs=2)

    _git(arena, "stash")
    arena.right(runs=0)

    _git(arena, "stash", "pop")
    arena.right(runs=0)


@trap(52)
def git_clean(arena: Arena) -> None:
    """git clean -fdx: everything that is not committed goes."""
    _git_project(arena)

    _git(arena, "clean", "-fdx")

    arena.right(runs=0, cacheless=2)


@trap(52, only=("windrow", "windrow-ninja"))
def git_worktree(arena: Arena) -> None:
    """A second worktree of the project: what the first built is found."""
    _git_project(arena)
    _git(arena, "worktree", "add", str(arena.root / "second"), "two")
    first, arena.project = arena.project, arena.root / "second"
    arena.right(runs=0)

    arena.project = first

    arena.right(runs=0)


@trap(53, only=("windrow",))
def rules_edited_without_effect(arena: Arena) -> None:
    """A comment in windrow.toml, another order of the rules: nothing runs."""
    two_steps(arena)
    toml = arena.project / "windrow.toml"

    toml.write_text("# A comment.\n" + toml.read_text().replace("[[rule]]", "\n\n[[rule]]  # here"))
    arena.right(runs=0)

    arena.rules(STRIP, SHOUT)
    head, *rules = toml.read_text().split("[[rule]]")
    toml.write_text("[[rule]]".join([head, *reversed(rules)]))
    arena.right(runs=0)


@trap(53)
def rule_renamed(arena: Arena) -> None:
    """A rule gets another name: nothing runs."""
    two_steps(arena)

    arena.rules(STRIP, replace(SHOUT, name="loud"))

    arena.right(runs=0)


@trap(53)
def rules_edited_while_a_build_runs(arena: Arena) -> None:
    """The build file is edited while a build runs."""
    gate = arena.gate()
    first = replace(STRIP, command=f"{gate.command}; sed /^#/d in.txt > mid.txt")
    arena.put("in.txt", "alpha\n")
    arena.rules(first, SHOUT)
    gate.shut()
    running = arena.start()
    gate.await_step()

    arena.rules(first, replace(SHOUT, command="tr a-z N-ZA-M < mid.txt > final.txt"))
    gate.open()

    arena.end(running)
    arena.right(runs=1)


@trap(53, only=("windrow",))
def broken_rules(arena: Arena) -> None:
    """windrow.toml is broken for a while: an error that names the line, and no harm done."""
    two_steps(arena)
    toml = arena.project / "windrow.toml"
    good = toml.read_text()

    for bad, word in (
        ("[[rule]\n", "windrow.toml"),
        ('[[rule]]\nnmae = "x"\n', "nmae"),
        (good + "\x00", "windrow.toml"),
    ):
        toml.write_text(bad if bad.startswith("[project") else good + bad)
        arena.fails(word, code=2)
    toml.write_text(good)

    arena.right(runs=0)


_BAD = Step("bad", "test -e {ready} && cp in.txt bad.txt", ("bad.txt",), ("in.txt",))
_WORSE = Step("worse", "cp bad.txt worse.txt", ("worse.txt",), ("bad.txt",))


@trap(55)
def keep_going(arena: Arena) -> None:
    """A step fails with keep-going: what does not need it is made, and not made again."""
    ready = arena.outside / "ready"
    arena.put("in.txt", "alpha\n")
    arena.rules(replace(_BAD, command=_BAD.command.format(ready=ready)), _WORSE, STRIP, SHOUT)

    built = arena.build(keep_going=True)

    arena.judge_failure(built, "bad", code=1)
    arena.check(sorted(built.ran) == ["bad", "shout", "strip"], f"ran {built.ran}")
    there = (arena.project / "final.txt").exists() and arena.read("final.txt") == "ALPHA\n"
    arena.check(there, "final.txt was not made")
    if built.report:
        arena.check(built.report["skipped"] == 1, f"{built.report['skipped']} skipped, not 1")
        arena.check(built.report["revision"] is None, "a failed build was committed")
    ready.touch()
    arena.right(runs=2)


@trap(56)
def interrupted(arena: Arena) -> None:
    """Ctrl-C while a step has written half of its output."""
    gate = arena.gate()
    arena.put("in.txt", "alpha\n")
    arena.rules(
        STRIP, replace(SHOUT, command=f"echo half > final.txt; {gate.command}; tr a-z A-Z < mid.txt > final.txt")
    )
    gate.shut()
    running = arena.start()
    gate.await_step()

    os.killpg(running.pid, signal.SIGINT)
    built = arena.end(running)
    arena.bury()

    arena.judge_failure(built, code=130)
    arena.right(runs=1)


@trap(56, only=("windrow", "windrow-ninja"))
def interrupted_while_the_step_does_not_listen(arena: Arena) -> None:
    """Ctrl-C, twice, while a step ignores signals: the build ends, and the step too."""
    gate = arena.gate()
    arena.put("in.txt", "alpha\n")
    stubborn = f"trap '' INT TERM HUP; echo half > final.txt; {gate.command}; tr a-z A-Z < mid.txt > final.txt"
    arena.rules(STRIP, replace(SHOUT, command=stubborn))
    gate.shut()
    running = arena.start()
    gate.await_step()

    os.kill(running.pid, signal.SIGINT)
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGINT)
    built = arena.end(running)
    arena.bury()

    arena.judge_failure(built, code=130)
    arena.check("Traceback" not in built.output, built.output)
    arena.right(runs=1)


@trap(57)
def failed_build_loses_no_finished_work(arena: Arena) -> None:
    """A later step fails: nothing is committed, and the earlier one does not run again."""
    two_steps(arena)
    before = _revision(arena) if arena.engine.name == "windrow" else 0
    arena.put("in.txt", "gamma\n")
    arena.rules(STRIP, replace(SHOUT, command="tr a-z A-Z < mid.txt; exit 7"))

    built = arena.fails(code=1)
    if built.report:
        arena.check(built.report["revision"] is None and _revision(arena) == before, "a failed build was committed")
        arena.check(arena.read("mid.txt") == "alpha\n", "a failed build changed the tree")
    arena.rules(STRIP, SHOUT)

    arena.right(runs=1)


@trap(58)
def tree_restored_by_copy(arena: Arena) -> None:
    """The tree is restored by a copy: other inodes and times everywhere, no work."""
    arena.put("z-in.txt", "alpha\n")
    first = replace(STRIP, command="sed /^#/d z-in.txt > mid.txt", inputs=("z-in.txt",))
    arena.rules(first, SHOUT)
    arena.right(runs=2)

    copy = arena.root / "copy"
    _copy_in_order(arena.project, copy)
    shutil.rmtree(arena.project)
    copy.rename(arena.project)

    arena.right(runs=0)
    arena.put("z-in.txt", "gamma\n")
    arena.right(runs=2)


@trap(58)
def tree_moved(arena: Arena) -> None:
    """The tree is moved to another folder: no work."""
    two_steps(arena)

    arena.project = arena.project.rename(arena.root / "elsewhere")

    arena.right(runs=0)


def _copy_in_order(source: Path, target: Path) -> None:
    """Copy without times, folders first, then files by name."""
    target.mkdir()
    for path in sorted(source.iterdir()):
        if path.is_dir():
            _copy_in_order(path, target / path.name)
        else:
            shutil.copyfile(path, target / path.name)


@trap(59)
def mtimes_before_1970_and_far_ahead(arena: Arena) -> None:
    """mtimes before 1970, after 2038 and 2106, and a nanosecond apart."""
    two_steps(arena, text="edit 0\n")

    times = (-1, -DAY * 365 * 20, 2**31 * 10**9 + 1, 2**32 * 10**9 + 1, 2**33 * 10**9 + 1, 10**18 + 1, 10**18 + 2, 0)
    for number, mtime in enumerate(times, 1):
        path = arena.put("in.txt", f"edit {number}\n")
        os.utime(path, ns=(mtime, mtime))
        arena.right(runs=2)
    arena.right(runs=0)
