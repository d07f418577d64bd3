"""Which files a failed command seems to have looked for, read off what it printed. Pure.

Too many names do no harm: they count only if the tree has such a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

from shared.model.path import normalise

MOST = 64  # names
_LONGEST = 1 << 16  # characters looked at, from the end
_MISSING = re.compile(
    r"no such file|not found|cannot (?:open|find|stat|access|read|load)|can't (?:open|find|read|load|locate|stat)|"
    r"couldn't|could not|unable to|does not exist|doesn't exist|failed to|"
    r"error (?:copying|reading|opening)|ENOENT|FileNotFoundError|No module named|No rule to make target|is missing",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"['\"`\u2018\u201c]([^'\"`\u2018\u2019\u201c\u201d\n]+)['\"`\u2019\u201d]")
_WORD = re.compile(r"[\w./+@%=~-]+")
_MODULE = re.compile(r"No module named ['\"]?([\w.]+)")


def wanted(text: str, roots: Sequence[str], cwd: str = "") -> tuple[str, ...]:
    """Relative spellings of the paths that the lines about missing files name, in order.

    Paths below the absolute folders `roots` are made relative to them; other absolute ones are left out.
    `../x/y` becomes `x/y`: from where it was looked for is not known. That it was the folder `cwd` of the tree
    is well possible, so what it would be then comes first.
    """
    found: dict[str, None] = {}
    for line in text[-_LONGEST:].splitlines():
        if _MISSING.search(line) is None:
            continue
        for name in (*_modules(line), *_QUOTED.findall(line), *_WORD.findall(line)):
            for path in _spellings(name, roots, cwd):
                found[path] = None
    return tuple(found)[:MOST]


def _modules(line: str) -> list[str]:
    """Where Python would have found a module."""
    names: list[str] = []
    for module in _MODULE.findall(line):
        path = module.strip(".").replace(".", "/")
        names += [f"{path}.py", f"{path}/__init__.py"]
    return names


def _spellings(name: str, roots: Sequence[str], cwd: str) -> Iterator[str]:
    name = name.strip().rstrip(".,:;)").lstrip("(")
    whole = name
    for root in (*roots, "/proc/self/cwd"):
        whole = whole.removeprefix(root.rstrip("/") + "/")
    below = whole != name
    if "=" in whole and not whole.startswith("/"):
        whole = whole.rpartition("=")[2]
    plain = _plain(whole)
    if plain is None:
        return
    if cwd and not below:
        with suppress(ValueError):  # it leads out of the tree
            yield normalise(f"{cwd}/{whole}")
    yield plain


def _plain(name: str) -> str | None:
    while name.startswith(("./", "../")):
        name = name.partition("/")[2]
    if not ("/" in name.strip("/") or "." in name.strip(".")) or name.startswith("-"):
        return None
    try:
        return normalise(name)
    except ValueError:
        return None
