"""Which keys a settings file may hold, what each takes, and from where it is accepted."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from shared.globs import compiled
from shared.model.path import written
from shared.redaction import has_credentials, redact

PROJECT_FILE = "windrow.toml"
LOCAL_FILE = "windrow.local.toml"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
BRANCH = re.compile(r"[a-z0-9][a-z0-9._/-]{0,99}")
_RULE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,99}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CATEGORIES = ("config", "docs", "source", "tests")
_NO_SECRETS = "it holds credentials; these come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws"


class Key(NamedTuple):
    """What a key takes; `check` tells what is wrong with a value, or nothing; `shared`: from windrow.toml only."""

    type: Any
    label: str
    check: Callable[[Any], str] = lambda _: ""
    shared: bool = False


def _named(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def check(value: str) -> str:
        if pattern.fullmatch(value):
            return ""
        lower = value.lower()
        hint = f"; '{lower}' would do" if pattern.fullmatch(lower) else ""
        return f"'{value}' does not match {pattern.pattern}{hint}"

    return check


def _at_least(low: float, *, above: bool = False) -> Callable[[float], str]:
    def check(value: float) -> str:
        if not math.isfinite(value) or value < low or (above and value == low):
            return f"{value} is not {'more than' if above else 'at least'} {low:g}"
        return ""

    return check


def _url(*schemes: str, secrets: bool = False) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not value:
            return ""
        if not secrets and has_credentials(value):
            return _NO_SECRETS
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError as error:
            return f"{redact(value)} is not a URL: {redact(str(error))}"
        if parts.scheme not in schemes:
            return f"{redact(value)} does not start with {' or '.join(f'{scheme}://' for scheme in schemes)}"
        if parts.scheme == "file":
            absolute = not parts.netloc and parts.path.startswith("/")
            return "" if absolute else f"{value} does not name an absolute path; write file:///path"
        return "" if parts.hostname else f"{redact(value)} names no {'bucket' if parts.scheme == 's3' else 'host'}"

    return check


def _one_of(*values: str) -> Callable[[str], str]:
    return lambda value: "" if value in values else f"'{value}' is not one of {', '.join(values)}"


def _filled(value: str) -> str:
    return "" if value else "it is empty"


def _inside(value: str) -> str:
    try:
        written(value)
    except ValueError as error:
        return f"'{value}': {error}"
    return ""


def _inside_or_root(value: str) -> str:
    return "" if value in ("", ".", "./") else _inside(value)


def _no_nul(value: tuple[str, ...] | str) -> str:
    words = (value,) if isinstance(value, str) else value
    if not any(words):
        return "it is empty"
    return "it holds a NUL character" if any("\0" in word for word in words) else ""


def _variables(names: Any) -> str:
    wrong = next((name for name in names if not _VARIABLE.fullmatch(name)), None)
    if wrong is not None:
        return f"'{wrong}' is not the name of an environment variable"
    values = names.values() if isinstance(names, dict) else ()
    return "a value holds a NUL character" if any("\0" in value for value in values) else ""


def _globs_by_glob(value: dict[str, tuple[str, ...]]) -> str:
    return _patterns(tuple(value)) or next((why for patterns in value.values() if (why := _patterns(patterns))), "")


def _categories(value: dict[str, tuple[str, ...]]) -> str:
    wrong = next((name for name in value if name not in _CATEGORIES), None)
    if wrong is not None:
        return f"'{wrong}' is not one of {', '.join(_CATEGORIES)}"
    return next((why for patterns in value.values() if (why := _patterns(patterns))), "")


def _program(value: str) -> str:
    # A job's folder holds its inputs alone, and a worker another checkout: a path within the tree leads nowhere.
    if "/" in value and not value.startswith("/"):
        return "must be a name on PATH or an absolute path; activate the environment, and its python3 is taken"
    return _filled(value)


def _patterns(value: tuple[str, ...] | str) -> str:
    for pattern in (value,) if isinstance(value, str) else value:
        if not pattern.startswith("rule:"):
            try:
                compiled(pattern)
            except ValueError as error:
                return f"'{pattern}': {error}"
    return ""


def _expressions(value: dict[str, str]) -> str:
    for pattern in value:
        try:
            re.compile(pattern)
        except re.error as error:
            return f"{pattern!r} is no regular expression: {error}"
    return ""


_LIST = tuple[str, ...]
_STRINGS = "a list of strings"

TABLES: dict[str, dict[str, Key]] = {
    "project": {
        "name": Key(str, "a string", _named(NAME), shared=True),
        "branch": Key(str, "a string", _named(BRANCH)),
    },
    "storage": {
        "url": Key(str, "a string", _url("s3", "file")),
        "endpoint": Key(str, "a string", _url("http", "https")),
        "region": Key(str, "a string", _filled),
        "credentials_file": Key(str, "a string"),
    },
    "farm": {
        "broker": Key(str, "a string", _url("redis", "rediss", secrets=True)),
        "worker_grace": Key(float, "a number of seconds", _at_least(0)),
        "broker_patience": Key(float, "a number of seconds", _at_least(0)),
        "heartbeat": Key(float, "a number of seconds", _at_least(0, above=True)),
    },
    "toolchain": {
        "tools": Key(_LIST, _STRINGS, lambda tools: "a name in it is empty" if "" in tools else "", shared=True),
        "fingerprint": Key(str, "a string", shared=True),
    },
    "scan": {
        "ignore": Key(_LIST, _STRINGS, shared=True),
        "categories": Key(dict[str, _LIST], "a table of lists of strings", _categories, shared=True),
    },
    "ninja": {
        "file": Key(str, "a string", _inside, shared=True),
        "directory": Key(str, "a string", _inside_or_root, shared=True),
        "local": Key(_LIST, _STRINGS, shared=True),
        "pass_env": Key(_LIST, _STRINGS, _variables, shared=True),
    },
    "context-rules": {
        "directory": Key(str, "a string", _inside, shared=True),
    },
    "ingest": {
        "source_dir": Key(str, "a string", _filled),
        "profile": Key(str, "a string", _one_of("part-chapter", "preserve"), shared=True),
        "map": Key(dict[str, str], "a table of strings", _expressions, shared=True),
    },
    "hydrate": {
        "output_dir": Key(str, "a string", _filled),
        "state_file": Key(str, "a string", _filled),
    },
    "tests": {
        "paths": Key(_LIST, _STRINGS, _patterns, shared=True),
        "roots": Key(_LIST, _STRINGS, lambda roots: next(filter(None, map(_inside_or_root, roots)), ""), shared=True),
        "critical": Key(_LIST, _STRINGS, _patterns, shared=True),
        "reads": Key(dict[str, _LIST], "a table of lists of strings", _globs_by_glob, shared=True),
        "unrelated": Key(_LIST, _STRINGS, _patterns, shared=True),
        "config": Key(_LIST, _STRINGS, _patterns, shared=True),
        "python": Key(str, "a string", _program, shared=True),
        "args": Key(_LIST, _STRINGS, shared=True),
        "env": Key(dict[str, str], "a table of strings", _variables, shared=True),
        "pass_env": Key(_LIST, _STRINGS, _variables, shared=True),
        "timeout": Key(float, "a number of seconds", _at_least(0, above=True), shared=True),
        "results": Key(str, "a string", _inside, shared=True),
        "gate": Key(bool, "true or false", shared=True),
        "shards": Key(int, "a whole number", _at_least(0), shared=True),
        "coverage": Key(str, "a string", _inside, shared=True),
    },
    "emit": {
        "folder": Key(str, "a string", _inside, shared=True),
    },
    "blueprint": {
        "file": Key(str, "a string", _inside, shared=True),
        "inputs": Key(str, "a string", _inside, shared=True),
        "folder": Key(str, "a string", _inside, shared=True),
    },
    "build": {
        "jobs": Key(int, "a whole number", _at_least(0)),
        "timeout": Key(float, "a number of seconds", _at_least(0, above=True)),
        "mode": Key(str, "a string", _one_of("incremental", "full", "clean")),
        "lease": Key(float, "a number of seconds", _at_least(1)),
    },
    "cache": {
        "dir": Key(str, "a string", _filled),
        "max_bytes": Key(int, "a whole number of bytes", _at_least(0)),
        "window": Key(float, "a number of seconds", _at_least(0)),
        "keep_revisions": Key(int, "a whole number", _at_least(1)),
    },
}

RULE: dict[str, Key] = {
    "name": Key(str, "a string", _named(_RULE_NAME)),
    "command": Key(_LIST | str, "a list of strings, or one string for sh -c", _no_nul),
    "call": Key(_LIST, "a list of strings, the first of which names a function", _no_nul),
    "outputs": Key(_LIST, _STRINGS),
    "each": Key(str, "a string", _patterns),
    "group_by": Key(str, "a string", _patterns),
    "inputs": Key(_LIST, _STRINGS, _patterns),
    "depfile": Key(str, "a string", _filled),
    "env": Key(dict[str, str], "a table of strings", _variables),
    "pass_env": Key(_LIST, _STRINGS, _variables),
    "timeout": Key(float, "a number of seconds", _at_least(0, above=True)),
    "keep": Key(str, "a string", _one_of("tree", "store")),
    "imports": Key(str, "a string", _one_of("python")),
}
