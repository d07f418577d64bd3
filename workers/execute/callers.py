"""Runs one call at a time for a slot, each in a fork of this small process; a program of its own.

Its first argument is the module path of the worker as JSON, its second, if there is one, the targets that are to be
at hand before it is asked. Else it is the supervisor, in all that concerns time limits, output, orphans and
cancelling: only what starts is a function rather than a program.
"""

# A supervisor's child: no pathlib, and nothing may come out of here but the exit.
# ruff: noqa: PTH100, PTH112, PTH119, PTH120, PLC0415

from __future__ import annotations

import errno
import json
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from workers.execute.supervisor import Stream

# What most functions of a tree import: loaded once here, so that their forks have it.
COMMON = ("collections", "csv", "dataclasses", "datetime", "functools", "hashlib", "html", "itertools", "pathlib", "re")
OWN = ("importlib.util", "shared.calls")  # what a fork itself needs
_performed: dict[str, int] = {}  # how often, by target


def main() -> int:
    """Serve requests until stdin ends."""
    import importlib

    sys.path[:] = json.loads(sys.argv[1])
    # msgspec uses it where it finds it, and does as well without: 20 ms of the first call.
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]
    for name in OWN:
        importlib.import_module(name)
    del sys.modules["typing_extensions"]
    from workers.execute import supervisor

    for target in json.loads(sys.argv[2]) if len(sys.argv) > 2 else ():
        load(target)
    return supervisor.main(spawn)


def spawn(request: dict[str, Any], streams: list[Stream]) -> int:
    """Start a call in a session of its own; its pid. OSError when it cannot be."""
    # Checked here, where it is still an error of the start, as with a program that is not there.
    if not os.path.isdir(request["cwd"]):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), request["cwd"])
    known = load(request["argv"][0])
    warm(request["argv"][0])
    pid = os.fork()
    if pid == 0:
        perform(request, streams, known)
    return pid


def load(target: str) -> Callable[..., object] | None:
    """The function of a registered call, imported once for all forks; None for one of the tree.

    None too when it cannot be imported: its fork fails at the same place, and what it prints is the job's log.
    """
    import importlib

    from shared import calls

    if calls.in_tree(target):
        for name in COMMON:
            importlib.import_module(name)
        return None
    try:
        return registered(target)
    except Exception:  # noqa: BLE001 - see above
        return None


def warm(target: str) -> None:
    """Load what not every call of a target needs, before the second of them, if its module has a function for that.

    One alone would wait for what it may not need; of many, each would load it by itself.
    """
    from shared import calls

    _performed[target] = _performed.get(target, 0) + 1
    if _performed[target] == 2 and target in calls.BUILT_IN:
        module, _, _ = calls.where(target).partition(":")
        getattr(sys.modules[module], "warm", int)()


def registered(target: str) -> Callable[..., object]:
    """The function of a registered call."""
    import importlib

    from shared import calls

    module, _, name = calls.where(target).partition(":")
    function: Callable[..., object] = getattr(importlib.import_module(module), name)
    return function


def of_tree(path: str, name: str) -> Callable[..., object]:
    """A function of a file below the current directory; files beside it can be imported by it."""
    import importlib.util

    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    module_name = os.path.basename(path).removesuffix(".py")
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    function: Callable[..., object] | None = getattr(module, name, None)
    if function is None:
        from shared.calls import Refused

        raise Refused(f"{path} has no function {name}")
    return function


def perform(request: dict[str, Any], streams: list[Stream], known: Callable[..., object] | None) -> NoReturn:
    """In the fork: be the job, from its streams to its exit code."""
    code = 1
    try:
        settle(request, streams)
        code = call(request["argv"], known)
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError as error:
        os.write(2, f"{error}\n".encode())
    finally:
        # Nothing of the parent's may run here: no handler at exit, no buffer.
        os._exit(code)


def settle(request: dict[str, Any], streams: list[Stream]) -> None:
    """Session, signals, streams, directory and environment, as a command that was started has them."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, fd in ((nothing, 0), (streams[0].sink, 1), (streams[1].sink, 2)):
        os.dup2(source, fd)
    os.close(nothing)
    for stream in streams:
        os.close(stream.source)
        os.close(stream.sink)
    # Those of this process told of the pipe to the worker.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = (open(fd, "w", closefd=False) for fd in (1, 2))  # noqa: SIM115
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])


def call(argv: list[str], known: Callable[..., object] | None) -> int:
    """Call the function with its words; the exit code. What went wrong is printed."""
    from shared import calls

    try:
        place = calls.in_tree(argv[0])
        function = known or (of_tree(*place) if place else registered(argv[0]))
        function(*argv[1:])
    except calls.Refused as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        sys.stderr.write(f"{error.code}\n")
        return 1
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the job's failure
        import traceback

        # Not the frame of this file, which tells nothing to who wrote the function.
        traceback.print_exception(error.with_traceback(error.__traceback__ and error.__traceback__.tb_next))
        return 1
    return 0


if __name__ == "__main__":
    # As the supervisor ends.
    os._exit(main())
