"""Checks one setting's value, and words what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from shared.errors import ConfigError
from shared.settings_keys import PROJECT_FILE, TABLES, Key

_KINDS = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
}

Path = tuple[str | int, ...]
Where = Callable[[Path], str]


def checked(name: str, key: Key, value: object, where: Where, path: Path, *, strict: bool = True) -> Any:
    """The value as its type; ConfigError at `where(path)` for a wrong type or value."""
    try:
        result = msgspec.convert(value, key.type, strict=strict)
    except msgspec.ValidationError as error:
        inner, culprit = _culprit(value)
        wrong = f"; item {inner[0] + 1} is {kind(culprit)}" if inner and isinstance(inner[0], int) else ""
        raise ConfigError(
            f"`{name}` must be {key.label}, not {kind(value)}" if not inner else f"`{name}` must be {key.label}{wrong}",
            at=where((*path, *inner)),
            fix=f'write ["{value}"]' if isinstance(value, str) and key.type == tuple[str, ...] else "",
        ) from error
    if why := key.check(result):
        raise ConfigError(f"`{name}` has a value it cannot take", at=where(path), why=why)
    return result


def _culprit(value: object) -> tuple[Path, object]:
    """The first item of a list, or value of a table, that cannot be what was asked for."""
    items: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, list):
        items = enumerate(value)
    elif isinstance(value, dict):
        items = value.items()
    for name, item in items:
        if isinstance(value, dict) and isinstance(item, list):
            return ((name, *_culprit(item)[0]), _culprit(item)[1])
        if not isinstance(item, str):
            return (name,), item
    return (), value


def kind(value: object) -> str:
    """What a value is, in the words of TOML."""
    return _KINDS.get(type(value), f"a {type(value).__name__}")


def unknown(name: str, known: Iterable[str], at: str, table: str = "") -> ConfigError:
    """The error for a key nobody knows."""
    import difflib  # noqa: PLC0415 - only for a typo

    close = difflib.get_close_matches(name, list(known), n=1)
    elsewhere = [other for other, keys in TABLES.items() if name in keys and other != table]
    fix = f"did you mean `{close[0]}`?" if close else f"it belongs in [{elsewhere[0]}]" if elsewhere else ""
    inside = f" in [{table}]" if table and table != "rule" else " in [[rule]]" if table else ""
    if any(word in name.lower() for word in ("secret", "password", "access_key", "token")):
        fix = "credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws, never from settings"
    return ConfigError(f"unknown key `{name}`{inside}", at=at, why=f"known are: {', '.join(known)}", fix=fix)


def only_shared(what: str, at: str) -> ConfigError:
    """The error for a key that only windrow.toml may hold."""
    return ConfigError(
        f"{what} is accepted from {PROJECT_FILE} only",
        at=at,
        why="it affects what is built, so everybody who builds the project must have the same",
        fix=f"move it to {PROJECT_FILE}",
    )
