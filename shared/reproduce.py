"""The command line with which a person can repeat what a job ran."""

from __future__ import annotations

import posixpath
import shlex
import sys

from shared import calls
from shared.model.action import Action


def describe(action: Action) -> str:
    """A line for a shell in the project's root: the command with its environment and nothing else but PATH.

    It goes to the folder that the command runs in first, where that is another.
    """
    unset = {name for name, value in action.env if value is None}
    env = [f"{name}={shlex.quote(value)}" for name, value in action.env if value is not None]
    if "PATH" not in unset and not any(name == "PATH" for name, _ in action.env):
        env.insert(0, 'PATH="$PATH"')
    go = ["cd", shlex.quote(action.cwd), "&&"] if action.cwd else []
    return " ".join([*go, "env", "-i", *env, shlex.join(_command(action))])


def _command(action: Action) -> tuple[str, ...]:
    if action.kind != calls.KIND:
        return action.command
    target, *words = action.argv
    place = calls.in_tree(target)
    if place is not None:
        file, name = place
        folder = posixpath.dirname(file) or "."
        text = f"import runpy, sys; sys.path.insert(0, {folder!r}); runpy.run_path({file!r})[{name!r}](*sys.argv[1:])"
    else:
        module, _, name = calls.where(target).partition(":")
        text = f"import sys; from {module} import {name}; {name}(*sys.argv[1:])"
    return (sys.executable, "-c", text, *words)
