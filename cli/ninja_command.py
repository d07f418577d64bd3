"""windrow ninja: the command that takes ninja's own flags, which are read in cli/ninja.py."""

from __future__ import annotations

import click

from cli.ninja import run


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": [], "allow_interspersed_args": True}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def ninja(arguments: tuple[str, ...]) -> int:
    """Run a build.ninja, with ninja's own flags."""
    return run(arguments)
