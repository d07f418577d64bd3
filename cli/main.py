"""The command group."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from cli.ends import ends_well, last_words
from shared.errors import Interrupted, UsageError, WindrowError

# Name, where it lives, one line of help: `--help` must not import what it does not run.
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("cli.init:init", "Write a windrow.toml for the folder you are in."),
    "build": ("cli.build:build", "Build what is out of date and commit the new revision."),
    "ninja": ("cli.ninja_command:ninja", "Run a build.ninja, with ninja's own flags."),
    "plan": ("cli.build:plan", "Show what a build would run, in layers, and why."),
    "test": ("cli.test:test", "Build, and run the tests that what changed can affect."),
    "affected": (
        "cli.affected:affected",
        "Show which jobs and tests are affected by what differs since a point in time.",
    ),
    "why": ("cli.build:why", "Explain why a target runs, or ran."),
    "graph": ("cli.build:graph", "Show every job and file the rules make."),
    "status": ("cli.history:status", "Show the current revision, the last build and who holds the lock."),
    "builds": ("cli.history:builds", "List past builds."),
    "show": ("cli.history:show", "Show a revision's manifest."),
    "diff": ("cli.history:diff", "Show what differs between two revisions."),
    "log": ("cli.log:log", "Show all that a job printed."),
    "ingest": ("cli.ingest:ingest", "Put the files of a source folder into the store, as one revision."),
    "hydrate": ("cli.hydrate:hydrate", "Bring a folder to what a revision holds, by what differs."),
    "sync": ("cli.sync:sync", "Ingest, hydrate and build in one command."),
    "changes": ("cli.changes:changes", "Show what changed among ingested files."),
    "mcp": ("cli.mcp:mcp", "Answer MCP clients, such as coding agents: plans, status, reasons, differences."),
    "events": ("cli.history:events", "Read or append to the event log."),
    "cache": ("cli.cache:cache", "Statistics, verification and collection of stored results."),
    "lock": ("cli.lock:lock", "Show the build lock, or take it away from a build that hangs."),
    "doctor": ("cli.doctor:doctor", "Check settings, tools, broker, storage and workers."),
    "farm": ("cli.farm:farm", "Start, show and stop a farm on this machine."),
    "worker": ("cli.worker:worker", "Run a worker."),
    "server": ("cli.server:server", "Serve the steps of builds over HTTP."),
    "completion": ("cli.completion:completion", "Print the shell completion script."),
}


class LazyGroup(click.Group):
    """Imports a command only when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with a guess at what was meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib  # noqa: PLC0415 - only for a typo

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            if not close:
                raise
            raise click.UsageError(f"{error.message} Did you mean '{close[0]}'?", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line a command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="windrow", prog_name="windrow")
@click.option("-C", "--directory", metavar="DIR", help="Run as if started in DIR.")
@click.pass_context
def windrow(ctx: click.Context, directory: str | None) -> None:
    """A build farm: takes the builds you have, runs what must run, here or on workers, and shares what came of it."""
    ctx.obj = {"directory": directory}


def run(argv: Sequence[str] | None = None) -> NoReturn:
    """The console script: run a command and exit with its code."""
    sys.exit(last_words(main(argv)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return ends_well(lambda: _command(arguments), arguments)


def _command(arguments: list[str]) -> Any:
    """What the command gives back; click's errors as our own."""
    told = sys.stdout
    try:
        return windrow.main(args=arguments, prog_name="windrow", standalone_mode=False)
    except click.exceptions.Abort as error:
        raise Interrupted("interrupted") from error
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        raise _misused(error) from error
    except SystemExit:
        # So click ends when the reader of its help went away, and muffles the stream for good.
        if sys.stdout is told:
            raise
        return 0


def _misused(error: click.ClickException) -> WindrowError:
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context else "windrow"
    return UsageError(error.format_message().rstrip("."), fix=f"`{command} --help` tells what it takes")
