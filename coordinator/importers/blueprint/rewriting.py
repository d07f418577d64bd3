"""Gives an input another value in the text of a file of values, and leaves the rest of the text as it is. Pure."""

from __future__ import annotations

import json

from coordinator.importers.blueprint.document import Document
from shared.errors import GraphError


def rewritten(text: str, label: str, name: str, value: object) -> str:
    """The text with `value`, a value of JSON, for `name`; GraphError when it cannot be put there."""
    document = Document(text, label)
    data = document.data or {}
    if not isinstance(data, dict):
        raise GraphError(f"{label} is no mapping of inputs to values", at=document.at())
    written = json.dumps(value, ensure_ascii=False)
    span = document.span(name)
    if span is None:
        gap = "" if not text or text.endswith("\n") else "\n"
        made = f"{text}{gap}{name}: {written}\n"
    else:
        start, end = span
        # The end of a block is the start of what comes after it; an empty value has no place of its own.
        trailing = text[start:end][len(text[start:end].rstrip()) :]
        made = text[:start] + ("" if text[:start].endswith((" ", "\n")) else " ") + written + trailing + text[end:]
    if Document(made, label).data != {**data, name: value}:
        raise GraphError(f"{label} cannot be rewritten", at=document.at(name), fix=f"write by hand: {name}: {written}")
    return made
