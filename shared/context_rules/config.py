"""Config: `.context/config.yaml`, what is compiled and how much fits; what it does not say has a default."""

from __future__ import annotations

import difflib
from typing import Any, Literal

import msgspec

from shared.context_rules.yaml_text import Document, Faulty, read

Strategy = Literal["priority", "directory", "glob", "tag", "all"]
Conflict = Literal["priority_wins", "merge"]

STRATEGIES = ("priority", "directory", "glob", "tag", "all")
CONFLICTS = ("priority_wins", "merge")


class Selection(msgspec.Struct, frozen=True):
    """Which rules an output takes in. max_tokens: of the whole output; 0 for no limit.

    always_include: ids that are taken before all others. include_*: what the strategies directory, glob and tag go by.
    """

    max_tokens: int = 0
    strategy: Strategy = "all"
    always_include: tuple[str, ...] = ()
    include_dirs: tuple[str, ...] = ()
    include_globs: tuple[str, ...] = ()
    include_tags: tuple[str, ...] = ()


class Config(msgspec.Struct, frozen=True):
    """The whole file. version: the authors' own, which every output names."""

    version: str = "1.0"
    claude: Selection = Selection(max_tokens=4000, strategy="priority")
    agents: Selection = Selection(max_tokens=8000, strategy="priority")
    cursor: Selection = Selection()
    conflicts: Conflict = "priority_wins"
    fallback: Conflict = "merge"


def parse(data: bytes) -> tuple[Config, tuple[str, ...]]:
    """The configuration and a warning for each key that nobody knows; Faulty with the line of a wrong value."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Faulty("it is not UTF-8", data.count(b"\n", 0, error.start) + 1) from error
    reader = _Reader(read(text))
    top = reader.table((), ("version", "compile", "conflict_resolution"))
    compile_ = reader.table(("compile",), ("claude", "cursor", "agents"))
    conflict = reader.table(("conflict_resolution",), ("strategy", "fallback"))
    given: dict[str, Any] = {name: reader.selection(("compile", name), getattr(Config(), name)) for name in compile_}
    if "version" in top:
        given["version"] = reader.version(top["version"])
    if "strategy" in conflict:
        given["conflicts"] = reader.one_of(("conflict_resolution", "strategy"), conflict["strategy"], CONFLICTS)
    if "fallback" in conflict:
        given["fallback"] = reader.one_of(("conflict_resolution", "fallback"), conflict["fallback"], CONFLICTS)
    return Config(**given), tuple(reader.warnings)


class _Reader:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.warnings: list[str] = []

    def table(self, path: tuple[str, ...], known: tuple[str, ...]) -> dict[str, Any]:
        """The keys of a table that are known; a warning for each of the others."""
        found: Any = self.document.values
        for part in path:
            found = found.get(part)
            if found is None:
                return {}
        if not isinstance(found, dict):
            raise Faulty(f"`{'.'.join(path)}` must be a table", self.document.line(*path))
        for key in found:
            if key not in known:
                close = difflib.get_close_matches(str(key), known, n=1)
                hint = f"; did you mean `{close[0]}`?" if close else ""
                name = ".".join((*path, str(key)))
                self.warnings.append(f"unknown key `{name}` in line {self.document.line(*path, str(key))}{hint}")
        return {key: value for key, value in found.items() if key in known and value is not None}

    def selection(self, path: tuple[str, ...], default: Selection) -> Selection:
        """A table of `compile`, over what holds without it."""
        given = dict(self.table(path, Selection.__struct_fields__))
        for key, value in given.items():
            at = (*path, key)
            if key == "max_tokens":
                if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                    raise Faulty(f"`{'.'.join(at)}` must be a whole number, not {value!r}", self.document.line(*at))
            elif key == "strategy":
                given[key] = self.one_of(at, value, STRATEGIES)
            else:
                given[key] = self.words(at, value)
        chosen = msgspec.structs.replace(default, **given)
        needed = {"directory": "include_dirs", "glob": "include_globs", "tag": "include_tags"}.get(chosen.strategy)
        if needed and not getattr(chosen, needed):
            name = ".".join(path)
            why = f"`{name}.strategy` is {chosen.strategy}, and `{name}.{needed}` is empty"
            raise Faulty(why, self.document.line(*path))
        return chosen

    def one_of(self, path: tuple[str, ...], value: object, known: tuple[str, ...]) -> Any:
        """A value that must be one of some words."""
        if value not in known:
            raise Faulty(
                f"`{'.'.join(path)}` is {value!r}, which is not one of {', '.join(known)}", self.document.line(*path)
            )
        return value

    def words(self, path: tuple[str, ...], value: object) -> tuple[str, ...]:
        """A list of texts."""
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise Faulty(f"`{'.'.join(path)}` must be a list of texts", self.document.line(*path))
        return tuple(value)

    def version(self, value: object) -> str:
        """A version, which YAML may have taken for a number."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Faulty("`version` must be a text", self.document.line("version"))
        return str(value)
