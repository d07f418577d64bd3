"""windrow completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from cli import render


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish", "powershell"]))
def completion(shell: str) -> int:
    """Print the completion script of SHELL, e.g. `windrow completion bash > ~/.windrow-complete.bash`."""
    from cli.main import windrow  # noqa: PLC0415 - the group imports this module

    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"click has no completion for {shell}")
    render.out(made(windrow, {}, "windrow", "_WINDROW_COMPLETE").source())
    return 0
