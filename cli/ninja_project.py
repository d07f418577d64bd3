"""The project that a build folder belongs to: the windrow.toml that names its build.ninja, or one made up for it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Set
from pathlib import Path

import msgspec

from cli.first import state_name
from coordinator.imported.build import COMPILED_FILE
from coordinator.importers.ninja import compiled
from coordinator.importers.ninja.manifest import Manifest
from shared import hashing
from shared.errors import NoProject, UsageError
from shared.settings import NinjaSettings, Settings
from shared.settings_load import find_root, load, load_without_project

_CMAKE_HOME = re.compile(r"^CMAKE_HOME_DIRECTORY:INTERNAL=(.+)$", re.MULTILINE)
# A word of a command, or what follows a flag like -I, that names a path beyond the folder commands run in.
_PATH = re.compile(r"(?:(?<![^\s'\"=,:])|(?<=-I)|(?<=-L)|(?<=-isystem)|(?<=-iquote))((?:/|\.\./)[^\s'\";,|&<>()$:]+)")
_NOT_A_NAME = re.compile(r"[^a-z0-9._-]+")
_SYSTEM = ("/usr/", "/lib/", "/lib64/", "/opt/", "/etc/", "/bin/", "/sbin/", "/nix/", "/proc/", "/dev/")
_PROGRAMS = frozenset(("bin", "sbin", "libexec"))
STATE = ".windrow"
_BROAD = 2  # components of a root like / or /tmp, which is nobody's project


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
    """A project of this build folder and its sources alone; its state lies in the build folder.

    Each build file of a folder has its own: of two configurations, one is not what is left of the other.
    """
    other = state_name(file)
    state = folder / STATE / other
    manifest = compiled.load(folder / file, state / COMPILED_FILE, folder=folder)
    told = _told(folder)
    source, named = _places(manifest, folder, told)
    build_file = Path(os.path.normpath(folder / file))
    places = {folder, build_file.parent, *named}
    root = Path(os.path.commonpath(places))
    folders = _parts(root, places) if len(root.parts) <= _BROAD or root == Path.home() else ()
    if told is not None and root not in places:
        # Build folder and sources side by side: what else lies there may be large, and is nobody's business.
        folders = _topmost(root, places | _searched(manifest, folder, root))
    name = _NOT_A_NAME.sub("-", source.name.lower()).strip("-._") or "build"
    settings = load_without_project(root, flags=flags, environ=environ)
    ours = hashing.bare(hashing.of_value([str(source), str(folder), *([other] if other else [])]))[:8]
    path, directory = (place.relative_to(root).as_posix() for place in (build_file, folder))
    return msgspec.structs.replace(
        settings,
        project=f"{name[:80]}-{ours}",
        ninja=NinjaSettings(file=path, directory=directory),
        folders=folders,
        state=state,
    )


def _parts(root: Path, places: Iterable[Path]) -> tuple[str, ...]:
    """The folders right below the root that the project lies in: the root itself belongs to others too."""
    parts = {place.relative_to(root).parts[:1] for place in places}
    return () if () in parts else tuple(sorted(part[0] for part in parts))


def _topmost(root: Path, places: Set[Path]) -> tuple[str, ...]:
    """Those of the folders that lie in no other, relative to the root, sorted."""
    return tuple(sorted(place.relative_to(root).as_posix() for place in places if places.isdisjoint(place.parents)))


def _searched(manifest: Manifest, folder: Path, root: Path) -> set[Path]:
    """The folders below a root that commands name, or in which files lie that they name."""
    texts = {text for context in manifest.contexts for text in context.rule.bindings.values()}
    texts.update(text for scope in manifest.scopes for text in scope.variables.values())
    texts.update(edge.own for edge in manifest.edges)
    words = {word for text in texts for word in _PATH.findall(text)}
    below = f"{root}/".replace("//", "/")
    found = {os.path.normpath(os.path.join(folder, word)) for word in words}  # noqa: PTH118 - as strings
    places: set[str] = set()
    for path in found:
        if path.startswith(below):
            parent = path.rpartition("/")[0]
            if os.path.isdir(path):  # noqa: PTH112 - as above
                places.add(path)
            elif parent not in places and os.path.exists(path):  # noqa: PTH110 - as above
                places.add(parent)
    inside = (Path(place) for place in places if place.startswith(below) and not (below == "/" and _of_system(place)))
    return {place for place in inside if place.name not in _PROGRAMS}


def _places(manifest: Manifest, folder: Path, source: Path | None) -> tuple[Path, set[Path]]:
    """The folder of the sources, as CMake or Meson tell, and every folder outside the system that edges name."""
    made = {path for edge in manifest.edges for path in edge.all_outputs}
    asked = {path for edge in manifest.edges for path in edge.all_inputs} - made
    # Strings: of thousands of files few folders are left.
    away = (os.path.join(folder, path) for path in asked if path.startswith(("/", "..")))  # noqa: PTH118
    named = {os.path.dirname(os.path.normpath(path)) for path in away}  # noqa: PTH120
    places = {Path(place) for place in named if not _of_system(place)}
    if source is None:
        # A guess, which may be as wide as the machine.
        return Path(os.path.commonpath([folder, *places])), places
    return source, _without_tools(places, {folder, source}) | {source}


def _of_system(place: str) -> bool:
    return f"{place}/".startswith(_SYSTEM)


def _without_tools(places: set[Path], own: set[Path]) -> set[Path]:
    """Without folders of programs that lie beside all else.

    Meson names the programs that edges run as inputs: a Python of some environment must not draw what lies between
    it and the sources into the project.
    """
    tools = {place for place in places if place.name in _PROGRAMS and own.isdisjoint(place.parents)}
    root = Path(os.path.commonpath(own | (places - tools)))
    return places - {place for place in tools if root not in place.parents}


def _told(folder: Path) -> Path | None:
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
        return None  # not Meson's
