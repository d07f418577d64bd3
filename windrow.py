"""The launcher: puts Windrow's own packages first on the path, then runs the command.

A user's repository may have folders named `shared`, `cli`, `workers` or
`coordinator`, and PYTHONPATH may point at it; this module has a name of its own,
so it is found, and after it ours win.
"""

import os
import sys

# Not with pathlib: to load it takes a tenth of the time of an answer that there is nothing to do.
_HOME = os.path.dirname(os.path.realpath(__file__))  # noqa: PTH120


def main() -> None:
    """Console script `windrow`."""
    _safe_path()
    from cli.first import build_rests  # noqa: PLC0415

    if build_rests(sys.argv[1:]):
        return
    from cli.main import run  # noqa: PLC0415

    run()


def ninja() -> None:
    """Console script `windrow-ninja`."""
    _safe_path()
    from cli.first import is_trial, ninja_answers, ninja_rests  # noqa: PLC0415

    if ninja_answers(sys.argv[1:]) or ninja_rests(sys.argv[1:]):
        return
    if is_trial(sys.argv[1:]):
        from cli.trial import program as trial  # noqa: PLC0415

        trial(sys.argv[1:])
    from cli.ninja import program  # noqa: PLC0415

    program()


def _safe_path() -> None:
    sys.path[:] = [_HOME, *(entry for entry in sys.path if entry not in ("", _HOME))]
    import shared  # noqa: PLC0415 - only after the path is safe

    if os.path.dirname(os.path.dirname(os.path.realpath(shared.__file__ or ""))) != _HOME:  # noqa: PTH120
        sys.exit(f"error[W3700]: 'shared' was imported from {shared.__file__}, not from {_HOME}")


if __name__ == "__main__":
    main()
