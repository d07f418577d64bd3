"""Reads the settings: flags > WINDROW_* > windrow.local.toml > windrow.toml > the user's file > defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from shared.errors import ConfigError, NoProject, named
from shared.model.path import written
from shared.settings import (
    BlueprintSettings,
    EmitSettings,
    FarmSettings,
    HydrateSettings,
    IngestSettings,
    NinjaSettings,
    Rule,
    Settings,
    StorageSettings,
    TestSettings,
)
from shared.settings_check import checked, only_shared, unknown
from shared.settings_file import SettingsFile, Values
from shared.settings_keys import LOCAL_FILE, PROJECT_FILE, TABLES

_PREFIX = "WINDROW_"
_SHORT = {"branch": "project.branch", "project": "project.name", "jobs": "build.jobs", "cache_dir": "cache.dir"}


def load(
    start: Path, *, flags: Mapping[str, object], environ: Mapping[str, str], as_if: bytes | None = None
) -> Settings:
    """The settings of the project that `start` lies in. as_if: what windrow.toml is to hold instead of what it does.

    Flags are named `table.key`, or branch, project, jobs, cache_dir; None counts as not given. Raises
    NoProject without a windrow.toml, ConfigError with the place of what is wrong, LocalError for a file
    that cannot be read.
    """
    root = find_root(start)
    values: Values = {}
    user_file = config_home(environ) / "windrow" / "config.toml"
    SettingsFile(user_file, str(user_file)).merge_into(values)
    project = SettingsFile(root / PROJECT_FILE, PROJECT_FILE, shared=True, data=as_if)
    project.merge_into(values)
    SettingsFile(root / LOCAL_FILE, LOCAL_FILE).merge_into(values)
    values.update(_from_environment(environ))
    values.update(_from_flags(flags))
    if "project.name" not in values:
        raise ConfigError(
            "the project has no name",
            at=project.where(("project",)),
            fix='add to windrow.toml: [project] name = "hello"',
        )
    return _settings(root, values, project.rules(), environ, project)


def load_without_project(folder: Path, *, flags: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
    """The settings of a process that serves projects and is in none, with `folder` for a root; errors as load()'s."""
    values: Values = {}
    user_file = config_home(environ) / "windrow" / "config.toml"
    SettingsFile(user_file, str(user_file)).merge_into(values)
    values.update(_from_environment(environ))
    values.update(_from_flags(flags))
    return _settings(folder, {"project.name": "none", **values}, (), environ)


def find_root(start: Path) -> Path:
    """The nearest folder, from `start` upwards, that holds a windrow.toml; NoProject, LocalError."""
    start = start.resolve()
    for folder in (start, *start.parents):
        try:
            found = (folder / PROJECT_FILE).is_file()
        except OSError as error:
            raise named(error, folder / PROJECT_FILE, "reading") from error
        if found:
            return folder
    raise NoProject(
        f"no {PROJECT_FILE} in {start}", at=str(start), why="nor in any folder above it", fix="windrow init makes one"
    )


def settings_files(root: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where the settings of a project may be written, whether these files are there or not."""
    return root / PROJECT_FILE, root / LOCAL_FILE, config_home(environ) / "windrow" / "config.toml"


def config_home(environ: Mapping[str, str]) -> Path:
    """Where this user's settings lie, by the XDG rules."""
    return _home(environ, "XDG_CONFIG_HOME", ".config")


def _home(environ: Mapping[str, str], variable: str, default: str) -> Path:
    # What platformdirs answers on Linux, from the environment given and without 9 ms of import.
    if (chosen := environ.get(variable, "")).startswith("/"):
        return Path(chosen)
    return Path(environ.get("HOME") or Path.home()) / default


def _settings(
    root: Path,
    values: Values,
    rules: tuple[Rule, ...],
    environ: Mapping[str, str],
    project: SettingsFile | None = None,
) -> Settings:
    def taken(table: str, **renamed: str) -> dict[str, Any]:
        return {
            renamed.get(name, name): values[f"{table}.{name}"] for name in TABLES[table] if f"{table}.{name}" in values
        }

    cache = taken("cache", max_bytes="cache_max_bytes", window="cache_window")
    folder = cache.pop("dir", None)
    if folder is None:
        cache_dir = _home(environ, "XDG_CACHE_HOME", ".cache") / "windrow"
    else:
        home = environ.get("HOME") or str(Path.home())
        cache_dir = root / (home + folder[1:] if folder == "~" or folder.startswith("~/") else folder)
    emit = EmitSettings(**taken("emit"))
    scanned = taken("scan")
    if emit.folder:
        # What is written for others is no source of ours.
        scanned["ignore"] = (*scanned.get("ignore", ()), f"/{written(emit.folder)}/")
    return Settings(
        root=root,
        project=values["project.name"],
        branch=values.get("project.branch", "main"),
        cache_dir=cache_dir,
        storage=StorageSettings(**taken("storage")),
        farm=FarmSettings(**taken("farm")),
        rules=rules,
        ninja=_ninja(taken("ninja"), project),
        context_rules=_context_rules(taken("context-rules"), project),
        ingest=IngestSettings(**taken("ingest")),
        hydrate=HydrateSettings(**taken("hydrate")),
        tests=_tests(taken("tests"), project),
        emit=emit,
        blueprint=_blueprint(taken("blueprint"), project),
        **taken("toolchain"),
        **scanned,
        **taken("build", timeout="job_timeout"),
        **cache,
    )


def _ninja(given: dict[str, Any], project: SettingsFile | None) -> NinjaSettings | None:
    if not given:
        return None
    if not given.get("file"):
        raise ConfigError(
            "[ninja] names no file",
            at=project.where(("ninja",)) if project else "",
            fix='file = "build/build.ninja"',
        )
    return NinjaSettings(**{**given, "file": written(given["file"])})


def _context_rules(given: dict[str, Any], project: SettingsFile | None) -> str:
    """The folder that `[context-rules]`, which may be empty, names."""
    if project is None or "context-rules" not in project.tables:
        return ""
    return written(given.get("directory", ".context"))


def _tests(given: dict[str, Any], project: SettingsFile | None) -> TestSettings | None:
    # The table alone says that there are tests, though every key of it has a default.
    if project is None or "tests" not in project.tables:
        return None
    if twice := set(given.get("env", ())).intersection(given.get("pass_env", ())):
        raise ConfigError(
            f"`{min(twice)}` is both in env and in pass_env",
            at=project.where(("tests", "pass_env")),
            fix="take it out of one of them",
        )
    results = written(given.get("results", TestSettings().results))
    if "coverage" in given:
        given["coverage"] = written(given["coverage"])
    return TestSettings(**{**given, "results": results}, at=project.where(("tests",)))


def _blueprint(given: dict[str, Any], project: SettingsFile | None) -> BlueprintSettings | None:
    if not given:
        return None
    if not given.get("file"):
        raise ConfigError(
            "[blueprint] names no file",
            at=project.where(("blueprint",)) if project else "",
            fix='file = "movie.yaml"',
        )
    file = written(given["file"])
    stem = file.rpartition("/")[2].partition(".")[0]
    return BlueprintSettings(
        file,
        written(given["inputs"]) if given.get("inputs") else "",
        written(given["folder"]) if given.get("folder") else f"build/{stem}",
    )


def _from_environment(environ: Mapping[str, str]) -> Values:
    values: Values = {}
    for variable in sorted(environ):
        if not variable.startswith(_PREFIX):
            continue
        short, text, at = variable[len(_PREFIX) :].lower(), environ[variable], f"environment variable {variable}"
        dotted = _SHORT.get(short, short.replace("__", ".", 1))
        table, _, name = dotted.partition(".")
        if name in TABLES.get(table, ()):
            key = TABLES[table][name]
            if key.shared:
                raise only_shared(variable, at)
            # An empty variable is a value where a setting may be empty, and else as good as none.
            if text or (key.type is str and not key.check("")):
                values[dotted] = checked(variable, key, text, _always(at), (), strict=False)
        elif "__" in short or variable in _ONE_SHORT:
            # With one underscore it is what many write, and nobody would hear that it says nothing.
            raise unknown(variable, _variables(), at)
    return values


def _variables() -> list[str]:
    return [
        f"{_PREFIX}{table}__{name}".upper()
        for table, keys in TABLES.items()
        for name, key in keys.items()
        if not key.shared
    ]


# Variables of settings as they are called by who writes one underscore for two; WINDROW_CACHE_DIR is one by right.
_ONE_SHORT = {name.replace("__", "_") for name in _variables()} - {f"{_PREFIX}{name}".upper() for name in _SHORT}


def _from_flags(flags: Mapping[str, object]) -> Values:
    values: Values = {}
    for flag, value in flags.items():
        if value is None:
            continue
        dotted = _SHORT.get(flag, flag)
        table, _, name = dotted.partition(".")
        if name not in TABLES.get(table, ()):
            raise unknown(flag, (*_SHORT, *(f"{t}.{n}" for t, keys in TABLES.items() for n in keys)), "command line")
        if TABLES[table][name].shared:
            raise only_shared(f"`{dotted}`", "command line")
        at = f"--{flag.rpartition('.')[2].replace('_', '-')}"
        values[dotted] = checked(at, TABLES[table][name], value, _always(at), (), strict=False)
    return values


def _always(at: str) -> Callable[[object], str]:
    return lambda _: at
