"""YAML as plain values, with the line of every key; the only module that imports yaml."""

from __future__ import annotations

from typing import Any

import msgspec
import yaml

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"

Path = tuple[str, ...]


class Faulty(Exception):
    """A text is not what it should be; `line` counts from 1."""

    def __init__(self, why: str, line: int) -> None:
        super().__init__(why)
        self.why, self.line = why, line


class Document(msgspec.Struct, frozen=True):
    """A mapping as read from YAML. lines: path of keys to line."""

    values: dict[str, Any]
    lines: dict[Path, int]
    first: int

    def line(self, *path: str) -> int:
        """Where a key stands, or the nearest one above it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self.first)


def read(text: str, *, first: int = 1) -> Document:
    """A YAML mapping; Faulty for anything else. first: the number of the text's first line."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return Document({}, {}, first)
        if not isinstance(node, yaml.MappingNode):
            raise Faulty("it is no mapping of keys to values", node.start_mark.line + first)
        lines: dict[Path, int] = {}
        _note(node, (), lines, first)
        values = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Faulty(error.problem or str(error), (mark.line if mark else 0) + first) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Faulty(str(error).partition("\n")[0], first) from error
    finally:
        loader.dispose()
    return Document({str(key): value for key, value in values.items()}, lines, first)


def _note(node: Any, above: Path, lines: dict[Path, int], first: int) -> None:
    for key, value in node.value:
        line = key.start_mark.line + first
        if key.tag == _MERGE or not isinstance(key, yaml.ScalarNode):
            raise Faulty("a key must be a plain word", line)
        path = (*above, key.value)
        if path in lines:
            raise Faulty(f"`{'.'.join(path)}` is there twice, first in line {lines[path]}", line)
        lines[path] = line
        if isinstance(value, yaml.MappingNode):
            _note(value, path, lines, first)
