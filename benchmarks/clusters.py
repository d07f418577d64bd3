"""Clean builds of a real project: on two slots here beside ninja, and on four of a farm beside distcc and icecc.

Every run compiles everything: the configured tree is put in place anew, and a macro that no code reads has another
value each time, so that no stored result fits. The processes of a cluster all run on this machine.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import timing
from benchmarks.fresh import WINDROW_NINJA, program_path
from benchmarks.real import engines, zstd_cmake
from benchmarks.real.harness import Place
from benchmarks.real.project import Project
from benchmarks.real.sources import cache_folder
from benchmarks.rig import ROOT, environment
from benchmarks.timing import Row, Sample
from cli import servers

SLOTS, WORKERS, ROUNDS = 4, 4, 3
_RUN = "-DBENCH_RUN="


class Anew:
    """A configured project that is built from nothing, and differently each time."""

    def __init__(self, project: Project, home: Path, flags: str, *launcher: str) -> None:
        configure = (*project.configure, f"-DCMAKE_C_FLAGS={flags}{_RUN}0", *launcher)
        environ = (("PATH", program_path(home)),)
        self._place = Place(project._replace(configure=configure, environ=environ), home, cache_folder())
        self._first, self._kept = self._place.folder.parent, home / "configured"
        self._runs = 0

    def run(self, argv: Sequence[str], environ: Mapping[str, str]) -> Sample:
        """Time one build."""
        self._runs += 1
        shutil.rmtree(self._first, ignore_errors=True)
        shutil.copytree(self._kept, self._first, symlinks=True)
        file = self._place.folder / "build/build.ninja"
        text = file.read_text()
        if f"{_RUN}0" not in text:
            raise RuntimeError(f"{file} does not hold {_RUN}0")
        file.write_text(text.replace(f"{_RUN}0", f"{_RUN}{self._runs}"))
        # Else the generator would find its own output newer than what it was made from, and make it anew.
        os.utime(file)
        told = {**self._place.environ, "PYTHONPATH": str(ROOT), **environ}
        return timing.run(argv, self._place.folder / "build", told)


def clean(home: Path) -> list[Row]:
    """zstd as it configures itself, two commands at a time, by ninja and by windrow-ninja with an empty cache."""
    anew = Anew(zstd_cmake.PROJECT, home / "clean", "")
    cache = {"WINDROW_CACHE_DIR": str(home / "cache")}

    def windrow() -> Sample:
        shutil.rmtree(home / "cache", ignore_errors=True)
        return anew.run((*WINDROW_NINJA, "-j2", "--quiet"), cache)

    contenders = {"ninja -j2": lambda: anew.run(("ninja", "-j2", "--quiet"), {}), "windrow-ninja -j2": windrow}
    return timing.compare("zstd, clean", contenders)


def clusters(home: Path) -> list[Row]:
    """zstd without optimisation on four slots; peers that are not installed are left out."""
    anew = Anew(zstd_cmake.SHORT, home / "plain", "-O0 ")
    ninja = ("ninja", f"-j{SLOTS}", "--quiet")
    with ExitStack() as stack:
        farm = stack.enter_context(engines.farm(environment(home / "cache"), home / "farm", workers=WORKERS))
        here = {name: value for name, value in farm.items() if name.startswith(("WINDROW_", "AWS_"))}
        contenders: dict[str, Callable[[], Sample]] = {
            f"farm, {WORKERS} workers": lambda: anew.run((*WINDROW_NINJA, f"-j{SLOTS}", "--quiet"), here),
            f"ninja -j{SLOTS}, here": lambda: anew.run(ninja, {}),
        }
        if shutil.which("distccd"):
            wrapped = Anew(zstd_cmake.SHORT, home / "distcc", "-O0 ", "-DCMAKE_C_COMPILER_LAUNCHER=distcc")
            hosts = stack.enter_context(distcc(home / "distccd"))
            contenders["ninja + distcc"] = lambda: wrapped.run(ninja, {"DISTCC_HOSTS": hosts, "DISTCC_FALLBACK": "0"})
        if shutil.which("iceccd"):
            iced = Anew(zstd_cmake.SHORT, home / "icecc", "-O0 ", "-DCMAKE_C_COMPILER_LAUNCHER=icecc")
            told = stack.enter_context(icecc(home / "iceccd"))
            contenders["ninja + icecc"] = lambda: iced.run(ninja, told)
        return timing.compare(f"zstd -O0, {SLOTS} slots", contenders, rounds=min(ROUNDS, timing.ROUNDS))


def _listens(port: int) -> bool:
    import socket  # noqa: PLC0415

    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
    except OSError:
        return False
    return True


@contextmanager
def distcc(folder: Path) -> Iterator[str]:
    """A compile server of so many slots, over TCP; what DISTCC_HOSTS is to be."""
    words = (
        shutil.which("distccd") or "",
        "--no-detach",
        "--listen",
        "127.0.0.1",
        "--allow",
        "127.0.0.1",
        "--jobs",
        str(SLOTS),
    )

    def command(ports: Sequence[int]) -> list[str]:
        return [*words, "--port", str(ports[0]), "--enable-tcp-insecure", "--log-file", str(folder.with_suffix(".log"))]

    server = servers.launch("distccd", folder, command, lambda ports: _listens(ports[0]), url="127.0.0.1:{port}")
    try:
        yield f"{server.url}/{SLOTS}"
    finally:
        servers.stop(server)


@contextmanager
def icecc(folder: Path) -> Iterator[dict[str, str]]:
    """A scheduler and one daemon of so many slots; the environment of who compiles with them."""

    # As root it becomes a user of its own, who has to get there.
    own = Path(tempfile.mkdtemp(prefix="iceccd-"))
    if os.getuid() == 0:
        shutil.chown(own, "icecc")

    def schedule(ports: Sequence[int]) -> list[str]:
        return [shutil.which("icecc-scheduler") or "", "-n", "bench", "-p", str(ports[0])]

    scheduler = servers.launch(
        "icecc-scheduler", folder / "scheduler", schedule, lambda ports: _listens(ports[0]), url="127.0.0.1:{port}"
    )

    def daemon(ports: Sequence[int]) -> list[str]:
        words = [
            shutil.which("iceccd") or "",
            "-n",
            "bench",
            "-s",
            scheduler.url,
            "-m",
            str(SLOTS),
            "-p",
            str(ports[0]),
        ]
        return [*words, "-b", str(own / "environments"), "-l", str(own / "iceccd.log")]

    try:
        started = servers.launch("iceccd", folder / "daemon", daemon, lambda ports: _listens(ports[0]), url="{port}")
        try:
            yield {"ICECC_CARET_WORKAROUND": "0"}
        finally:
            servers.stop(started)
    finally:
        servers.stop(scheduler)
        shutil.rmtree(own)
