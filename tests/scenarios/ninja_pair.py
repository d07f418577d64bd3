"""Two equal folders, one for the real ninja and one for Windrow, and what each of the two made of its own."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cli import ends, ninja

NINJA = shutil.which("ninja", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
# What either tool notes down for itself.
_OWN = frozenset((".ninja_log", ".ninja_deps", ".ninja_lock", ".windrow"))
# Stand in texts for the folder that a tool works in, and for the file in which commands tell that they ran.
ROOT, LOG = "@ROOT@", "@LOG@"
_HANDLED = (signal.SIGINT, signal.SIGTERM)


class Ran(NamedTuple):
    """What a tool said, its exit code, and the commands that ran, each by the word it put into the log, sorted."""

    code: int
    out: str
    err: str
    ran: tuple[str, ...]

    @property
    def said(self) -> str:
        return self.out + self.err


class Pair:
    """The two folders, and a third for a build from nothing."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ninja, self.windrow, self.clean = home / "n", home / "w", home / "c"
        self.log = home / "ran"
        self.files: dict[str, str] = {}
        self.modes: dict[str, int] = {}
        self.past: set[str] = set()
        for folder in (self.ninja, self.windrow):
            folder.mkdir(parents=True)

    # -- edits, the same to both --------------------------------------------------------------------

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        self.files[path], self.modes[path] = text, mode
        for folder in (self.ninja, self.windrow):
            self._write(folder, path)

    def _write(self, folder: Path, path: str) -> None:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self.files[path].replace(ROOT, str(folder)).replace(LOG, str(self.log)))
        target.chmod(self.modes[path])

    def delete(self, path: str) -> None:
        """A source, or what was made, where it is there."""
        self.files.pop(path, None)
        for folder in (self.ninja, self.windrow):
            (folder / path).unlink(missing_ok=True)

    def touch(self, path: str) -> None:
        for folder in (self.ninja, self.windrow):
            os.utime(folder / path)

    # -- builds -------------------------------------------------------------------------------------

    def by_ninja(self, *words: str, folder: Path | None = None, env: dict[str, str] | None = None) -> Ran:
        assert NINJA is not None, "PyPI's ninja is in the dev dependencies"
        self._begin()
        done = subprocess.run(
            [NINJA, *words],
            cwd=folder or self.ninja,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self._settle()
        return Ran(done.returncode, done.stdout, done.stderr, self._ran())

    def by_windrow(self, *words: str, folder: Path | None = None, env: dict[str, str] | None = None) -> Ran:
        self._begin()
        out, err = io.StringIO(), io.StringIO()
        with self._inside(folder or self.windrow, env or {}):
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = ends.ends_well(lambda: ninja.run(words), words)
        self._settle()
        return Ran(code, out.getvalue(), err.getvalue(), self._ran())

    def both(self, *words: str, env: dict[str, str] | None = None) -> tuple[Ran, Ran]:
        return self.by_ninja(*words, env=env), self.by_windrow(*words, env=env)

    def from_nothing(self, *words: str) -> Ran:
        """The real ninja on the present sources alone."""
        shutil.rmtree(self.clean, ignore_errors=True)
        for path in self.files:
            self._write(self.clean, path)
        return self.by_ninja(*words, folder=self.clean)

    def forget(self) -> None:
        """Take away what both know of their last builds; Windrow's results stay."""
        for name in _OWN:
            for folder in (self.ninja, self.windrow):
                if (folder / name).is_dir():
                    shutil.rmtree(folder / name)
                else:
                    (folder / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _inside(self, folder: Path, more: dict[str, str]) -> Iterator[None]:
        before, here, handlers = dict(os.environ), Path.cwd(), {one: signal.getsignal(one) for one in _HANDLED}
        cache = self.home / "cache"
        os.environ.update({"XDG_CACHE_HOME": str(cache), "XDG_CONFIG_HOME": str(cache / "config"), **more})
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)
            os.environ.clear()
            os.environ.update(before)
            for one, handler in handlers.items():
                signal.signal(one, handler)

    def _begin(self) -> None:
        self.log.write_text("")

    def _ran(self) -> tuple[str, ...]:
        return tuple(sorted(self.log.read_text().split()))

    def _settle(self) -> None:
        """Return once a file that is written now is newer than all that was made, for ninja goes by that."""
        probe = self.home / "probe"
        probe.write_text("")
        then = probe.stat().st_mtime_ns
        while probe.stat().st_mtime_ns <= then:
            probe.write_text("")

    # -- what is there --------------------------------------------------------------------------------

    def tree(self, folder: Path) -> dict[str, str]:
        """Every file of a folder by its path, a symlink as what it holds; the folder's own path counts as @ROOT@."""
        found: dict[str, str] = {}
        for path in folder.rglob("*"):
            name = path.relative_to(folder)
            if not _OWN.isdisjoint(name.parts) or (path.is_dir() and not path.is_symlink()):
                continue
            if path.is_symlink():
                found[str(name)] = "-> " + os.readlink(path).replace(str(folder), ROOT)
            else:
                text = path.read_bytes().decode("utf-8", "surrogateescape").replace(str(folder), ROOT)
                found[str(name)] = f"{'x' if path.stat().st_mode & 0o100 else '-'} {text}"
        return found
