"""A YAML text as plain values, with the place of each: mappings, lists, and scalars as JSON has them. Pure.

Scalars are read by the rules of JSON, not those of YAML 1.1: `16:9`, `yes` and `2026-01-01` are text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from shared.errors import GraphError

Path = tuple[str | int, ...]

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_DEEPEST = 50

# libyaml is 10 times as fast, where it is there.
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class Document:
    """The value of a text, `data`; GraphError, with `label:line:column`, for what is no YAML or has no plain value."""

    def __init__(self, text: str, label: str) -> None:
        self.text, self.label = text, label
        self._nodes: dict[Path, yaml.Node] = {}
        self._keys: dict[Path, yaml.Node] = {}
        try:
            _examine(text, label)
            root = yaml.compose(text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise GraphError(
                f"{label} is not valid YAML", at=_at(label, mark), why=error.problem or error.context or ""
            ) from error
        except yaml.YAMLError as error:
            raise GraphError(f"{label} is not valid YAML", at=label, why=str(error).partition("\n")[0]) from error
        self.data: Any = None if root is None else self._value((), root)

    def at(self, *path: str | int) -> str:
        """`file:line:column` of a key or list item, or of the nearest thing around it."""
        for end in range(len(path), -1, -1):
            node = self._keys.get(path[:end]) or self._nodes.get(path[:end])
            if node is not None:
                return _at(self.label, node.start_mark)
        return f"{self.label}:1:1"

    def span(self, *path: str | int) -> tuple[int, int] | None:
        """From where to where, in characters, the value of a path stands in the text; None if there is none."""
        node = self._nodes.get(path)
        return None if node is None else (node.start_mark.index, node.end_mark.index)

    def _value(self, path: Path, node: yaml.Node) -> Any:
        self._nodes[path] = node
        if isinstance(node, yaml.MappingNode):
            return dict(self._pairs(path, node))
        if isinstance(node, yaml.SequenceNode):
            return [self._value((*path, number), item) for number, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node)

    def _pairs(self, path: Path, node: yaml.MappingNode) -> Iterator[tuple[str, Any]]:
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(key, "a key that is no text")
            place = (*path, key.value)
            if place in self._keys:
                raise GraphError(
                    f"'{key.value}' is there twice",
                    at=_at(self.label, key.start_mark),
                    why=f"it is there already at {self.at(*place)}",
                )
            self._keys[place] = key
            yield key.value, self._value(place, value)

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text: str = node.value
        if node.style:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INT.fullmatch(text):
            if len(text) > 300:
                raise self._error(node, "a number of more than 300 digits")
            return int(text)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if not math.isfinite(number):
                raise self._error(node, f"{text}, which is too large a number")
            return number
        return text

    def _error(self, node: yaml.Node, what: str) -> GraphError:
        return GraphError(f"{self.label} holds {what}", at=_at(self.label, node.start_mark))


def _examine(text: str, label: str) -> None:
    """Refuse aliases, which can make a value of any size out of a short text, and what is nested without an end."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        at = _at(label, event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            raise GraphError(f"{label} holds an alias", at=at, fix="write the value out, or put it in quotes")
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            raise GraphError(f"{label} holds a tag, {tag}", at=at, fix="put it in quotes")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise GraphError(f"{label} is nested more than {_DEEPEST} deep", at=at)


def _at(label: str, mark: Any) -> str:
    return label if mark is None else f"{label}:{mark.line + 1}:{mark.column + 1}"
