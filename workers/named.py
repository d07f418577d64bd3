"""What a run itself names as read: in its depfile, or in lines that it printed."""

from __future__ import annotations

from pathlib import Path

from shared.depfile import dependencies, is_one
from shared.model.action import Action
from workers.printed import Printed
from workers.sandbox import outputs
from workers.sandbox.broken import Broken

DEPFILE_LIMIT = 64 << 20  # bytes


def named_by(action: Action, tree: Path, said: Printed) -> tuple[str, ...] | None:
    """The paths as they were written; None if it was to write a depfile and did not, or names nothing ever.

    Broken if it printed so much that some of them may be lost, and for a depfile that is none.
    """
    if action.notes:
        if not said.whole:
            raise Broken("it printed more than is kept, so what it read cannot be told")
        return said.named
    data = outputs.read(tree, action.depfile, DEPFILE_LIMIT) if action.depfile is not None else None
    if data is None:
        return None
    text = data.decode("utf-8", "replace")
    if not is_one(text):
        raise Broken(f"expected ':' in depfile {action.depfile}")
    return dependencies(text)
