"""Sources of real projects and the tools they need: from Debian's archive by apt, from PyPI by pip, kept in a cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

MIRROR = "http://deb.debian.org/debian"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
RELEASE = "bookworm"
_CACHES = ("ccache", "sccache")


class Unavailable(Exception):
    """A project cannot be had or configured on this machine; says why."""


def cache_folder() -> Path:
    """Where fetched sources are kept between runs, for tests and benchmarks alike."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "windrow-benchmarks"


def debian(package: str, version: str, sha256: str, cache: Path) -> Path:
    """The unpacked source package, Debian's patches applied; sha256 is of the upstream archive in it.

    Asks Debian itself whatever system this is, by lists and caches of its own: it needs apt, not root.
    """
    kept = cache / f"{package}-{version}"
    if kept.is_dir():
        return kept
    for program in ("apt-get", "dpkg-source"):
        if shutil.which(program) is None:
            raise Unavailable(f"{package} {version} comes as a Debian source package, and {program} is not here")
    if not Path(KEYRING).is_file():
        raise Unavailable(f"{KEYRING} is not here: nothing would vouch for {package}")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as name:
        folder = Path(name)
        _run(["apt-get", *_lists(folder), "update"], folder)
        _run(["apt-get", *_lists(folder), "source", "--download-only", package], folder)
        archive = next(folder.glob(f"*_{version}*.orig.tar.?z"), None)
        if archive is None:
            raise Unavailable(
                f"Debian's {package} is no longer {version}: {[path.name for path in folder.glob('*.dsc')]}"
            )
        if (found := hashlib.sha256(archive.read_bytes()).hexdigest()) != sha256:
            raise Unavailable(f"{archive.name} is not the archive that was pinned: {found}")
        description = next(folder.glob("*.dsc"))
        _run(["dpkg-source", "--no-check", "-x", description.name, "unpacked"], folder)
        return _place(folder / "unpacked", kept)


def _lists(folder: Path) -> list[str]:
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (folder / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    sources = folder / "sources.list"
    sources.write_text(f"deb-src [signed-by={KEYRING}] {MIRROR} {RELEASE} main\n")
    told = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder,
        "APT::Sandbox::User": "",
    }
    return [word for name, value in told.items() for word in ("-o", f"{name}={value}")]


def sdist(package: str, version: str, sha256: str, inside: str, cache: Path) -> Path:
    """A folder of a pinned sdist, unpacked."""
    kept = cache / f"{package}-{version}"
    if kept.is_dir():
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as name:
        folder = Path(name)
        _run(
            # Not of other packages: pip asks the sdist for its metadata, which needs tools that are wheels.
            [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--quiet", "--no-binary", package,
             "--no-deps", "--dest", name, f"{package}=={version}"],
            folder,
        )  # fmt: skip
        archive = next(folder.glob("*.tar.gz"), None)
        if archive is None:
            raise Unavailable(f"PyPI has no sdist of {package} {version}")
        if (found := hashlib.sha256(archive.read_bytes()).hexdigest()) != sha256:
            raise Unavailable(f"{archive.name} is not the archive that was pinned: {found}")
        with tarfile.open(archive) as packed:
            packed.extractall(folder / "unpacked", filter="data")
        (top,) = (folder / "unpacked").iterdir()
        return _place(top / inside, kept)


def tools(requirements: Sequence[str], cache: Path) -> Path:
    """The folder of programs of an environment that holds these packages of PyPI."""
    name = hashlib.sha256("\n".join((sys.version, *requirements)).encode()).hexdigest()[:12]
    kept = cache / f"tools-{name}"
    ready = kept / "ready"
    if not ready.exists():
        _run([sys.executable, "-m", "venv", "--clear", str(kept)], cache)
        pip = [str(kept / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
        _run([*pip, *requirements], cache)
        ready.touch()
    return kept / "bin"


def needs(headers: Iterable[str]) -> None:
    """Unavailable unless the C compiler finds these headers."""
    for header in headers:
        done = subprocess.run(
            ["gcc", "-E", "-xc", "-"], input=f"#include <{header}>\n", capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Unavailable(f"the C compiler does not find <{header}>")


def environment(first: Iterable[Path], mirror: Path) -> dict[str, str]:
    """This process's environment for builds: no settings of Windrow's, plain compilers, no compiler cache on PATH.

    CMake files and Meson take ccache or sccache by themselves where they find one, and then nothing is measured.
    first: folders to put in front of PATH. mirror: where a folder of PATH is rebuilt by links without those.
    """
    left_out = ("WINDROW_", "MAKE", "CCACHE_", "SCCACHE_", "NINJA", "CMAKE_", "PYTHON", "VIRTUAL_ENV")
    told = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    folders = [str(folder) for folder in first]
    for number, folder in enumerate(os.environ.get("PATH", os.defpath).split(os.pathsep)):
        if folder and any((Path(folder) / program).exists() for program in _CACHES):
            folders.append(str(_without(Path(folder), mirror / str(number))))
        elif folder:
            folders.append(folder)
    return {**told, "PATH": os.pathsep.join(folders), "CC": "gcc", "CXX": "g++", "LC_ALL": "C.UTF-8"}


def _without(folder: Path, mirror: Path) -> Path:
    if not mirror.is_dir():
        mirror.mkdir(parents=True)
        for program in folder.iterdir():
            # Debian's /usr/lib/ccache holds compilers that are ccache.
            if not any(name in str(program.resolve()) for name in _CACHES):
                (mirror / program.name).symlink_to(program)
    return mirror


def _place(unpacked: Path, kept: Path) -> Path:
    if not unpacked.is_dir():
        raise Unavailable(f"{kept.name} does not hold {unpacked.name}")
    try:
        # By a rename: others may fetch it at the same time.
        return unpacked.replace(kept)
    except OSError:
        if kept.is_dir():
            return kept
        raise


def _run(argv: Sequence[str], folder: Path) -> None:
    done = subprocess.run(argv, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{' '.join(argv[:6])} … failed: {(done.stderr or done.stdout)[-600:]}")
