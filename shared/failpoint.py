"""Named places where a test may have this process die, stop or fail: WINDROW_FAILPOINT="name=kill|stop|raise,…"."""

from __future__ import annotations

import os
import signal

from shared.errors import FarmError


def _armed(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(",") if "=" in part)


# Read once: a failpoint is a property of the process, and a hit must cost nothing when none is armed.
_ARMED = _armed(os.environ.get("WINDROW_FAILPOINT", ""))


def hit(name: str) -> None:
    """Pass a named place; kills, stops or fails this process if it was armed so."""
    if not _ARMED:
        return
    action = _ARMED.get(name)
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif action == "raise":
        raise FarmError(f"failpoint {name}")
