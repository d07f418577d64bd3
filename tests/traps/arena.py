"""Arena: a tiny project in which an engine walks into a trap, and what it did there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.traps.engines import Engine, Ninja, Windrow, WindrowNinja
from tests.traps.verdict import Built, Step, Verdict
from tests.waiting import until

PATIENCE = 30.0  # seconds a build may take
_BUG = 37  # Windrow's exit code for one
DAY = 86_400 * 10**9  # ns


class Gate:
    """A place where a step waits until the scenario lets it go on."""

    def __init__(self, path: Path) -> None:
        self.path, self._mark = path, path.with_suffix(".reached")
        # A step that comes by when there is no gate passes.
        self.command = f"if [ -p {path} ]; then : > {self._mark}; cat {path} > /dev/null; fi"

    def shut(self) -> None:
        """From now on steps wait here."""
        self._mark.unlink(missing_ok=True)
        os.mkfifo(self.path)

    def await_step(self) -> None:
        """Wait until a step stands here."""
        until(self._mark.exists, seconds=PATIENCE, what=f"a step at {self.path.name}")

    def open(self) -> None:
        """Let go the step that waits; nobody waits any more."""
        fd = until(self._writer, seconds=PATIENCE, what=f"a step at {self.path.name}")
        self.path.unlink()
        os.close(fd)

    def remove(self) -> None:
        """Nobody may wait any more."""
        self.path.unlink()

    def waiting(self) -> list[int]:
        """Processes whose command line names this gate."""
        name, found = os.fsencode(self.path), []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and name in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return found

    def _writer(self) -> int | None:
        try:
            return os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return None


class Arena:
    """One project for one engine. `findings` are the things that were not right, each with its verdict."""

    def __init__(self, engine: Engine, root: Path, *, inside: bool = False) -> None:
        """inside: builds that nothing else happens beside run in this process, where the engine can."""
        self.engine, self.root, self._inside = engine, root, inside
        self.project, self.outside = root / "project", root / "outside"
        for folder in (self.project, self.outside, root / "home"):
            folder.mkdir(parents=True)
        self.steps: tuple[Step, ...] = ()
        self.env: dict[str, str] = {}
        self.findings: list[tuple[Verdict, str]] = []
        self._outputs: set[str] = set()
        self._running: list[subprocess.Popen[str]] = []
        self._builds = 0
        self._gate = Gate(self.outside / "gate")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what a failed scenario left running."""
        for process in self._running:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        self._end_waiting()

    # The project.

    def rules(self, *steps: Step) -> None:
        """Have these steps, in an order in which they can run, and no others."""
        self.steps = steps
        self._outputs.update(path for step in steps for path in step.outputs)
        self._outputs.update(step.depfile for step in steps if step.depfile)
        self.engine.write(self.project, steps)

    def manifest(self, text: str, *steps: Step) -> None:
        """Have a build.ninja of this text, whose rules are called like the steps that a clean build takes."""
        assert isinstance(self.engine, Ninja | WindrowNinja)
        self.steps = steps
        self._outputs.update(path for step in steps for path in step.outputs)
        self.engine.write_manifest(self.project, text)

    def put(self, path: str, text: str, *, keep_times: bool = False, executable: bool = False) -> Path:
        """Write a file of the project in place; with its old mtime if asked for."""
        where = self.project / path
        where.parent.mkdir(parents=True, exist_ok=True)
        before = where.stat() if keep_times else None
        where.write_text(text)
        if executable:
            where.chmod(0o755)
        if before:
            os.utime(where, ns=(before.st_atime_ns, before.st_mtime_ns))
        return where

    def replace(self, path: str, text: str) -> None:
        """Put another file in the place of one, with the same mtime."""
        where = self.project / path
        before = where.stat()
        other = self.outside / "other"
        other.write_text(text)
        os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
        other.rename(where)

    def age(self, path: str, by_ns: int) -> None:
        """Move a file's mtime."""
        status = (self.project / path).stat()
        os.utime(self.project / path, ns=(status.st_atime_ns, status.st_mtime_ns + by_ns))

    def read(self, path: str) -> str:
        """The text of a file of the project."""
        return (self.project / path).read_text()

    def remove(self, *paths: str) -> None:
        """Delete files of the project."""
        for path in paths:
            (self.project / path).unlink()

    def gate(self) -> Gate:
        """The gate of this arena, outside the project."""
        return self._gate

    # Builds.

    def start(self, *, argv: list[str] | None = None, keep_going: bool = False) -> subprocess.Popen[str]:
        """A build that is not waited for; a process group of its own."""
        process = subprocess.Popen(
            argv or self.engine.argv(keep_going=keep_going),
            cwd=self.project,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._running.append(process)
        return process

    def environment(self) -> dict[str, str]:
        """What a build is started with."""
        return {**self.engine.environment(self.root), **self.env}

    def end(self, process: subprocess.Popen[str]) -> Built:
        """Wait for a build that was started."""
        stdout, stderr = process.communicate(timeout=PATIENCE)
        return self._told(process.returncode, stdout, stderr)

    def _told(self, code: int, stdout: str, stderr: str) -> Built:
        self._builds += 1
        built = self.engine.built(self.root, code, stdout, stderr)
        if code == _BUG:
            self.blame(Verdict.WRONG, f"a bug came to light:\n{built.output}")
        return built

    def build(self, *, keep_going: bool = False) -> Built:
        """Build everything."""
        if self._inside and isinstance(self.engine, WindrowNinja):
            argv = self.engine.argv(keep_going=keep_going)
            return self._told(*self.engine.run_here(argv, self.project, self.environment()))
        return self.end(self.start(keep_going=keep_going))

    def windrow(self, *words: str) -> Built:
        """Any other command of Windrow's."""
        assert isinstance(self.engine, Windrow)
        return self.end(self.start(argv=self.engine.command(*words)))

    def revision(self) -> int:
        """The current revision."""
        pointers = list((self.root / "cache").rglob("current.json"))
        assert len(pointers) == 1, pointers
        return int(json.loads(pointers[0].read_bytes())["revision"])

    def bury(self) -> None:
        """After the end of a build by force: see that its steps end too, and take the gate away."""
        if isinstance(self.engine, Windrow):
            until(lambda: not self._gate.waiting(), seconds=10, what="the end of every process of the build")
        else:
            # These leave their steps alone when they are killed.
            self._end_waiting()
        self._gate.remove()

    def _end_waiting(self) -> None:
        for pid in self._gate.waiting():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    # Judging.

    def blame(self, verdict: Verdict, text: str) -> None:
        """Something was not right."""
        self.findings.append((verdict, f"build {self._builds}: {text}"))

    @property
    def verdict(self) -> Verdict:
        """The worst that was found."""
        return max((verdict for verdict, _ in self.findings), default=Verdict.RIGHT)

    def right(self, *, runs: int | None = None, cacheless: int | None = None) -> Built:
        """Build, and compare with a clean build; `runs` steps are all that had to run.

        cacheless: as many for an engine that keeps no old results.
        """
        return self.judge(self.build(), runs=runs, cacheless=cacheless)

    def judge(self, built: Built, *, runs: int | None = None, cacheless: int | None = None) -> Built:
        """Compare a build with a clean one."""
        expected = self._clean()
        if expected is None:
            raise AssertionError("the scenario is wrong: a clean build fails")
        if built.code != 0:
            self.blame(Verdict.WRONG, f"exit code {built.code}, a clean build succeeds:\n{built.output}")
            return built
        for path, content in expected.items():
            found = _content(self.project / path)
            if found != content:
                self.blame(Verdict.STALE, f"{path} holds {found!r}, a clean build makes {content!r}")
        limit = runs if self.engine.caches or cacheless is None else cacheless
        if limit is not None and len(built.ran) > limit:
            self.blame(Verdict.NEEDLESS, f"ran {', '.join(built.ran)}; {limit} had to run")
        return built

    def fails(self, *naming: str, code: int | None = None) -> Built:
        """Build; it must fail and name these words. code: the exit code, for Windrow."""
        built = self.build()
        self.judge_failure(built, *naming, code=code)
        return built

    def judge_failure(self, built: Built, *naming: str, code: int | None = None) -> None:
        """See fails()."""
        if built.code == 0:
            self.blame(Verdict.STALE, f"succeeded, and should have failed:\n{built.output}")
        elif unnamed := [word for word in naming if word not in built.output]:
            self.blame(Verdict.WRONG, f"does not name {', '.join(unnamed)}:\n{built.output}")
        elif code is not None and (due := self.engine.code(code)) is not None and built.code != due:
            self.blame(Verdict.WRONG, f"exit code {built.code}, not {due}:\n{built.output}")

    def check(self, condition: bool, text: str, verdict: Verdict = Verdict.WRONG) -> None:
        """Any other thing that must hold."""
        if not condition:
            self.blame(verdict, text)

    def _clean(self) -> dict[str, bytes | None] | None:
        """The outputs of the steps run in order in a copy of the sources; None if one fails."""
        copy = self.root / "clean"
        shutil.rmtree(copy, ignore_errors=True)
        skipped = self._skipped()
        shutil.copytree(self.project, copy, symlinks=True, ignore=skipped)
        for step in self.steps:
            env = {name: self.env[name] for name in step.pass_env if name in self.env}
            path = self.env.get("PATH", os.environ["PATH"])
            ran = subprocess.run(
                ["sh", "-c", step.command],
                cwd=copy,
                env={"PATH": path, "LC_ALL": "C.UTF-8", **env},
                capture_output=True,
                timeout=PATIENCE,
                check=False,
            )
            if ran.returncode != 0:
                return None
        return {path: _content(copy / path) for step in self.steps for path in step.outputs}

    def _skipped(self) -> Callable[[str, list[str]], set[str]]:
        def skipped(folder: str, names: list[str]) -> set[str]:
            inside = os.path.relpath(folder, self.project)
            own = {name for name in names if os.path.normpath(os.path.join(inside, name)) in self._outputs}
            own |= {name for name in names if stat.S_ISFIFO(os.lstat(os.path.join(folder, name)).st_mode)}
            return own | ({".git", *self.engine.state} & set(names) if inside == "." else set())

        return skipped


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def tree(*folders: Path) -> dict[str, Any]:
    """Every file below these folders with its stat signature: for seeing that nothing was written."""
    return {
        str(path): (status.st_size, status.st_mtime_ns, status.st_ino)
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if (status := path.lstat())
    }
