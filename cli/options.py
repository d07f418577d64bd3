"""Options that several commands share, and the project they name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from coordinator.dispatch.performer import Performer
from coordinator.project import Project
from shared.clock import SystemClock
from shared.settings import Settings
from shared.settings_load import load

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
    return with_credentials(load(start_folder(directory), flags=given, environ=os.environ))


def with_credentials(settings: Settings) -> Settings:
    """The same settings, once the keys of their bucket are where clients look for them."""
    if settings.storage.credentials_file:
        from cli.credentials import provide  # noqa: PLC0415 - only where a file is named

        provide(settings.storage, settings.root, os.environ)
    return settings


def open_project(
    settings: Settings,
    make_performer: Callable[[Project, str, str], Performer] | None = None,
    make_here: Callable[[Project, str, str], Performer] | None = None,
) -> Project:
    """The project, with the stores its settings name."""
    return Project(
        settings, environ=os.environ, clock=SystemClock(), make_performer=make_performer, make_here=make_here
    )
