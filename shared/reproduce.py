"""The command line with which a person can repeat what a job ran."""

from __future__ import annotations

import shlex

from shared.model.action import Action


def describe(action: Action) -> str:
    """A line for a shell in the project's root: the command with its environment and nothing else but PATH."""
    unset = {name for name, value in action.env if value is None}
    env = [f"{name}={shlex.quote(value)}" for name, value in action.env if value is not None]
    if "PATH" not in unset and not any(name == "PATH" for name, _ in action.env):
        env.insert(0, 'PATH="$PATH"')
    return " ".join(["env", "-i", *env, shlex.join(action.argv)])
