"""What a compiler tells by /showIncludes, told apart from what it prints for people. Pure."""

from __future__ import annotations

import posixpath
import re

# Headers of the compiler and of Windows do not change: naming them would be thousands of paths for nothing.
_SYSTEM = re.compile(r"program files|microsoft visual studio", re.IGNORECASE)
# cl prints the name of what it compiles, and nobody needs to read that.
_SOURCES = (".c", ".cc", ".cxx", ".cpp", ".c++")


def parse_showincludes(output: str, prefix: str) -> tuple[tuple[str, ...], str]:
    """The headers a compiler named, each once, and the rest of its output. prefix: what stands before a name.

    Beside the headers, headers of the system and the echoed name of the source are left out.
    """
    headers: dict[str, None] = {}
    rest = []
    for line in output.replace("\r\n", "\n").split("\n"):
        if line.startswith(prefix):
            path = line[len(prefix) :].lstrip(" ")
            if path and not _SYSTEM.search(path):
                headers[posixpath.normpath(path.replace("\\", "/"))] = None
        elif headers or not line.lower().endswith(_SOURCES):
            rest.append(line)
    return tuple(headers), "\n".join(rest)
