"""One settings file: its keys checked one by one, each with its line and column."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from shared.errors import ConfigError, named
from shared.settings import Rule
from shared.settings_check import checked, kind, only_shared, unknown
from shared.settings_keys import RULE, TABLES
from shared.toml_places import Places

_RULE_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*rule[ \t]*\]\]", re.MULTILINE)

Values = dict[str, Any]


class SettingsFile:
    """One settings file, which may not be there; only windrow.toml is `shared`. data: what it holds, if not asked."""

    def __init__(self, path: Path, label: str, *, shared: bool = False, data: bytes | None = None) -> None:
        self.label, self.shared = label, shared
        self.text = _read(path, label) if data is None else _decoded(data, label)
        self.tables = _parse(self.text, label)
        self._places: Places | None = None

    def where(self, path: tuple[str | int, ...]) -> str:
        """`file:line:column` of a path of keys."""
        self._places = self._places or Places(self.text)
        line, column = self._places.find(path)
        return f"{self.label}:{line}:{column}"

    def merge_into(self, values: Values) -> None:
        """Put every key of the file, checked, over those there are."""
        for table, content in self.tables.items():
            if table == "rule":
                if not self.shared:
                    raise only_shared("`rule`", self.where(("rule",)))
                continue
            if table not in TABLES:
                raise unknown(table, (*TABLES, "rule"), self.where((table,)))
            if not isinstance(content, dict):
                raise ConfigError(
                    f"`{table}` must be a table, not {kind(content)}", at=self.where((table,)), fix=f"[{table}]"
                )
            for name, value in content.items():
                if name not in TABLES[table]:
                    raise unknown(name, TABLES[table], self.where((table, name)), table)
                key = TABLES[table][name]
                if key.shared and not self.shared:
                    raise only_shared(f"`{table}.{name}`", self.where((table, name)))
                values[f"{table}.{name}"] = checked(f"{table}.{name}", key, value, self.where, (table, name))

    def rules(self) -> tuple[Rule, ...]:
        """Every `[[rule]]`, checked."""
        content = self.tables.get("rule", [])
        if not isinstance(content, list) or not all(isinstance(rule, dict) for rule in content):
            raise ConfigError(
                f"`rule` must be a list of tables, not {kind(content)}", at=self.where(("rule",)), fix="[[rule]]"
            )
        lines = self._rule_lines(len(content))
        return tuple(self._rule(number, rule, lines[number]) for number, rule in enumerate(content))

    def _rule(self, number: int, raw: dict[str, Any], line: int) -> Rule:
        fields: Values = {}
        for name, value in raw.items():
            if name not in RULE:
                raise unknown(name, RULE, self.where(("rule", number, name)), "rule")
            fields[name] = checked(f"rule.{name}", RULE[name], value, self.where, ("rule", number, name))
        if "command" in fields and "call" in fields:
            raise ConfigError(
                "a rule has both a `command` and a `call`",
                at=self.where(("rule", number, "call")),
                fix="make two rules of it",
            )
        for name in ("name", "outputs") if "call" in fields else ("name", "command", "outputs"):
            if name not in fields:
                raise ConfigError(f"a rule has no `{name}`", at=self.where(("rule", number)), fix=f"add {name} = …")
        if twice := set(fields.get("env", ())).intersection(fields.get("pass_env", ())):
            raise ConfigError(
                f"`{min(twice)}` is both in env and in pass_env",
                at=self.where(("rule", number, "pass_env")),
                why=f"env sets it, see {self.where(('rule', number, 'env'))}",
                fix="take it out of one of them",
            )
        return Rule(**{"command": (), **fields}, at=f"{self.label}:{line}")

    def _rule_lines(self, count: int) -> list[int]:
        # The quick way sees no difference between a header and a line of a multi-line string.
        if "'''" not in self.text and '"""' not in self.text:
            lines, line, last = [], 1, 0
            for found in _RULE_HEADER.finditer(self.text):
                line += self.text.count("\n", last, found.start())
                last = found.start()
                lines.append(line)
            if len(lines) == count:
                return lines
        places = self._places = self._places or Places(self.text)
        return [places.find(("rule", number))[0] for number in range(count)]


def _read(path: Path, label: str) -> str:
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise named(error, path, "reading") from error
    return _decoded(data, label)


def _decoded(data: bytes, label: str) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{label} is not UTF-8", at=f"{label}:{line}", why=f"byte {data[error.start]:#04x}"
        ) from error


def _parse(text: str, label: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        message = str(error)
        found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
        line, column = (found[1], found[2]) if found and found[1] else (str(text.rstrip().count("\n") + 1), "1")
        raise ConfigError(
            f"{label} is not valid TOML",
            at=f"{label}:{line}:{column}",
            why=message[: found.start()] if found else message,
            fix="see https://toml.io",
        ) from error
