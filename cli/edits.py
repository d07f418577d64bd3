"""The option --edit: inputs and artefacts of a blueprint that a build is to take otherwise."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from coordinator.project import Project

_EDIT = re.compile(r"((?:Input|Artifact):\w+(?:\[\w+=\d+\])*)=")

Command = TypeVar("Command", bound=Callable[..., Any])


def edit_option(command: Command) -> Command:
    """Add the option."""
    return click.option(
        "--edit", "edits", multiple=True, metavar="ID=VALUE",
        help="Give an input or an artefact of the blueprint another value, e.g. Input:Style=noir (repeatable).",
    )(command)  # fmt: skip


def pend_edits(project: Project, given: tuple[str, ...]) -> None:
    """Have a project take edits; BadParameter for one that is none, UsageError for an id that there is not."""
    if not given:
        return
    from coordinator.edits import pend  # noqa: PLC0415 - for who has edits

    pend(project, dict(map(_edit, given)))


def _edit(text: str) -> tuple[str, object]:
    # The indices of an artefact hold equals signs too: its id ends with the last of its brackets.
    found = _EDIT.match(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no edit; write Input:Style=noir", param_hint="--edit")
    id_, value = found[1], text[found.end() :]
    return id_, _value(value) if id_.startswith("Input:") else value


def _value(text: str) -> object:
    """Numbers, true, false, null, lists and objects as in JSON; all else is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
