"""Options that several commands share, and the project they name."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from coordinator.project import Performers, Project
from shared.clock import SystemClock
from shared.errors import NoProject, UsageError
from shared.model.manifest import revision_number
from shared.settings import Settings
from shared.settings_keys import NAME
from shared.settings_load import find_root, load, load_without_project

Command = TypeVar("Command", bound=Callable[..., Any])


def project_options(command: Command) -> Command:
    """-C, --branch, --json."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout."),
        click.option("--branch", metavar="NAME", help="Branch whose revisions to use (default: main)."),
        click.option("--project", metavar="NAME", hidden=True, help="Must equal the name in windrow.toml."),
        click.option("-C", "--directory", metavar="DIR", help="Run as if started in DIR."),
    ):
        command = option(command)
    return command


def start_folder(directory: str | None) -> Path:
    """The folder a command works from; click's own error for one that is not there."""
    context = click.get_current_context(silent=True)
    parent = (context.find_root().obj or {}).get("directory") if context else None
    folder = Path(directory or parent or ".")
    if not folder.is_dir():
        raise click.BadParameter(f"{folder} is not a directory", param_hint="-C")
    return folder.absolute()


def open_settings(directory: str | None, flags: dict[str, Any]) -> Settings:
    """Settings of the project the command is run in."""
    given = {name: value for name, value in flags.items() if value is not None}
    return load(start_folder(directory), flags=given, environ=os.environ)


def book_options(command: Command) -> Command:
    """-C, --branch, --json, and --project (--book-id) for where no windrow.toml names it."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout."),
        click.option("--branch", metavar="NAME", help="Branch whose revisions to use (default: main)."),
        click.option(
            "--project", "--book-id", "project", metavar="NAME",
            help="The project, where there is no windrow.toml; else it must equal its name.",
        ),
        click.option("-C", "--directory", metavar="DIR", help="Run as if started in DIR."),
    ):  # fmt: skip
        command = option(command)
    return command


_WAIT_WITHOUT_LIMIT = "for ever"


def wait_option(command: Command) -> Command:
    """--wait, with or without a number of seconds."""
    option = click.option(
        "--wait", is_flag=False, flag_value=_WAIT_WITHOUT_LIMIT, default=None, metavar="[SECONDS]",
        help="Wait for a build that holds the lock (without a number: as long as it takes).",
    )  # fmt: skip
    return option(command)


def wait_seconds(given: str | None) -> float | None:
    """How long to wait: 0 if it was not asked for, None without limit."""
    if given is None:
        return 0.0
    if given == _WAIT_WITHOUT_LIMIT:
        return None
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise click.BadParameter(f"{given!r} is not a number of seconds", param_hint="--wait")
    return seconds


def revision_given(text: str, option: str = "--revision") -> int:
    """The number of a revision that an option names."""
    try:
        return revision_number(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no revision; write rev-0003 or 3", param_hint=option) from None


def open_book_settings(given: dict[str, Any]) -> Settings:
    """Settings of the project the command is run in or, without one, of the project that is named."""
    folder = start_folder(given["directory"])
    flags = {"branch": given["branch"]}
    try:
        find_root(folder)
    except NoProject as error:
        name = given["project"] or os.environ.get("WINDROW_BOOK_ID")
        if not name:
            raise UsageError(
                "which project? there is no windrow.toml here, and no --project",
                at=error.at,
                fix="name it: --project NAME (or --book-id NAME)",
            ) from error
        found = load_without_project(folder, flags=flags, environ=os.environ)
        if not NAME.fullmatch(name):
            raise click.BadParameter(f"{name!r} does not match {NAME.pattern}", param_hint="--project") from error
        return msgspec.structs.replace(found, project=name)
    settings = open_settings(given["directory"], flags)
    if given["project"] not in (None, settings.project):
        raise click.BadParameter(f"the project here is {settings.project!r}", param_hint="--project")
    return settings


def open_project(settings: Settings, performers: Performers | None = None) -> Project:
    """The project, with the stores its settings name. performers: for commands that run jobs."""
    return Project(settings, environ=os.environ, clock=SystemClock(), performers=performers)


def given_project(given: dict[str, Any]) -> Project:
    """The project that a command with `project_options` is run in, for a command that runs no jobs."""
    return open_project(open_settings(given["directory"], {name: given[name] for name in ("branch", "project")}))
