"""Spent: seconds of CPU, for tests that bound what something takes while other work shares the machine."""

from __future__ import annotations

import os


def spent() -> float:
    """What this process and the children that it waited for have used until now, in seconds."""
    return sum(os.times()[:4])
