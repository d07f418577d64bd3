"""Turns whatever becomes of a command into its exit code, and an error into its message, once."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

from cli import render
from shared.errors import Interrupted, WindrowError

_AT_ONCE = 3  # so many signals end a process that is still clearing up


def ends_well(command: Callable[[], Any], arguments: Sequence[str]) -> int:
    """Run something to its exit code, whatever becomes of it; errors are told."""
    _interrupt_once()
    try:
        code = command()
    except WindrowError as error:
        return _tell(error, arguments)
    except KeyboardInterrupt:
        return _tell(Interrupted("interrupted"), arguments)
    except Exception as error:  # noqa: BLE001 - the last resort: a bug, told in one line and kept in a file
        return _tell(_bug(error), arguments)
    return code if isinstance(code, int) else 0


def last_words(code: int) -> int:
    """Have all that was said reach its readers; the exit code, not 0 where the result did not."""
    lost = render.flush()
    if lost is None or code:
        return code
    render.err(render.error_text(lost))
    render.flush()
    return lost.exit_code


def _tell(error: WindrowError, arguments: Sequence[str]) -> int:
    if "--json" in arguments and not error.told:
        render.as_json(render.error_json(error))
    if not error.told:
        render.err(render.error_text(error))
    return error.exit_code


def _bug(error: Exception) -> WindrowError:
    import tempfile  # noqa: PLC0415 - only for a bug
    import traceback  # noqa: PLC0415

    from shared.redaction import redact  # noqa: PLC0415

    text = redact("".join(traceback.format_exception(error)))
    with tempfile.NamedTemporaryFile("w", prefix="windrow-crash-", suffix=".txt", delete=False) as report:
        report.write(text)
    return WindrowError(
        f"this is a bug in Windrow: {type(error).__name__}: {error}",
        why=f"the details are in {report.name}",
        fix="please report it with that file; nothing half-made was shared",
    )


def _interrupt_once() -> None:
    """SIGTERM ends a command like Ctrl-C, so that locks are given back.

    What clears up then is not interrupted by the next one: it would leave jobs that nobody ends, and wait for them. Who
    asks a third time has it end at once.
    """
    asked = itertools.count(1)

    def interrupt(_signum: int, _frame: Any) -> None:
        times = next(asked)
        if times == 1:
            raise KeyboardInterrupt
        if times >= _AT_ONCE:
            os._exit(Interrupted.exit_code)

    for number in (signal.SIGINT, signal.SIGTERM):
        # A shell has what it starts in the background ignore Ctrl-C.
        if number == signal.SIGTERM or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, interrupt)
