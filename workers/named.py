"""What a run itself names as read: in its depfile, or in lines that it printed."""

from __future__ import annotations

from pathlib import Path

from shared.depfile import dependencies
from shared.model.action import Action
from workers.printed import Printed
from workers.sandbox import outputs
from workers.sandbox.broken import Broken

_DEPFILE_LIMIT = 64 << 20  # bytes


def named_by(action: Action, tree: Path, said: Printed) -> tuple[str, ...] | None:
    """The paths as they were written; None if it was to write a depfile and did not, or names nothing ever.

    Broken if it printed so much that some of them may be lost.
    """
    if action.notes:
        if not said.whole:
            raise Broken("it printed more than is kept, so what it read cannot be told")
        return said.named
    data = outputs.read(tree, action.depfile, _DEPFILE_LIMIT) if action.depfile is not None else None
    return None if data is None else dependencies(data.decode("utf-8", "replace"))
