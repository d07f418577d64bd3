"""windrow ninja: the command that takes ninja's own flags, which are read in cli/ninja.py."""

from __future__ import annotations

import os

import click

from cli.ninja import run
from cli.options import start_folder


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": [], "allow_interspersed_args": True}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def ninja(context: click.Context, arguments: tuple[str, ...]) -> int:
    """Run a build.ninja, with ninja's own flags."""
    if directory := (context.find_root().obj or {}).get("directory"):
        # As with every command: -C before its name says where it begins.
        os.chdir(start_folder(directory))
    return run(arguments)
