"""The project that a build folder belongs to: the windrow.toml that names its build.ninja, or one made up for it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from shared import hashing
from shared.errors import NoProject, UsageError
from shared.settings import NinjaSettings, Settings
from shared.settings_load import find_root, load, load_without_project

_CMAKE_HOME = re.compile(r"^CMAKE_HOME_DIRECTORY:INTERNAL=(.+)$", re.MULTILINE)
_NOT_A_NAME = re.compile(r"[^a-z0-9._-]+")


def open_build_folder(folder: Path, file: str, *, flags: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
    """The settings for a build file in the folder that commands run in; errors as load()'s."""
    folder = folder.resolve()
    path = folder / file
    if not path.is_file():
        raise UsageError(
            f"loading '{file}': No such file or directory",
            at=str(path),
            fix="name the build folder with -C, or configure it first: cmake -S . -B build -G Ninja",
        )
    try:
        root = find_root(folder)
    except NoProject:
        root = None
    if root is not None:
        settings = load(root, flags=flags, environ=environ)
        ninja = settings.ninja
        if ninja is not None and (root / ninja.file).resolve() == path.resolve() and root / ninja.cwd == folder:
            return settings
    return _made_up(folder, file, flags=flags, environ=environ)


def _made_up(folder: Path, file: str, *, flags: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
    """A project of the sources and this build folder alone; its state lies in the build folder."""
    sources = _sources(folder, file)
    root = Path(os.path.commonpath([folder, sources]))
    folders = () if root in (sources, folder) else tuple(path.relative_to(root).as_posix() for path in (sources, folder))
    name = _NOT_A_NAME.sub("-", sources.name.lower()).strip("-._") or "build"
    settings = load_without_project(root, flags=flags, environ=environ)
    ours = hashing.bare(hashing.of_value([str(sources), str(folder)]))[:8]
    relative = folder.relative_to(root).as_posix()
    return msgspec.structs.replace(
        settings,
        project=f"{name[:80]}-{ours}",
        ninja=NinjaSettings(file=(folder / file).relative_to(root).as_posix(), directory="" if relative == "." else relative),
        folders=folders,
        state=folder / ".windrow",
    )


def _sources(folder: Path, file: str) -> Path:
    """Where the sources of a build folder lie: as CMake or Meson tell, else what its edges name."""
    try:
        found = _CMAKE_HOME.search((folder / "CMakeCache.txt").read_text("utf-8", "replace"))
        if found:
            return Path(found[1]).resolve()
    except OSError:
        pass  # not CMake's
    try:
        info = msgspec.json.decode((folder / "meson-info" / "meson-info.json").read_bytes())
        return Path(info["directories"]["source"]).resolve()
    except (OSError, msgspec.MsgspecError, KeyError, TypeError):
        pass  # not Meson's
    return _by_edges(folder, file)


def _by_edges(folder: Path, file: str) -> Path:
    from coordinator.importers.ninja import parser  # noqa: PLC0415 - where nobody else tells

    manifest = parser.read(folder / file)
    made = {path for edge in manifest.edges for path in edge.all_outputs}
    asked = {path for edge in manifest.edges for path in edge.all_inputs} - made
    places = {os.path.dirname(os.path.normpath(folder / path)) for path in asked if path.startswith(("/", ".."))}
    ours = [place for place in places if not place.startswith(_SYSTEM)]
    return Path(os.path.commonpath([str(folder), *ours])) if ours else folder


_SYSTEM = ("/usr/", "/lib", "/opt/", "/etc/", "/bin/", "/sbin/", "/nix/", "/proc/", "/dev/")
