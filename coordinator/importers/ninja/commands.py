"""What kind of command an edge runs: which programs, and how its inputs can be told before it has run. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared.commands import first_words
from shared.model.graph import Finds
from shared.model.path import basename

# Suffixes of files that a C-family compiler reads directives in.
COMPILED = frozenset(("c", "cc", "cp", "cpp", "cxx", "c++", "m", "mm", "s", "sx", "asm", "i", "ii", "cu", "hip"))
_SIMPLE = re.compile(r"[^\s'\"`$();|&<>\\]+(?=\s|$)")
_JOINTS = re.compile(r"&&|\|\|?|;|\n|[`(]")
_LAUNCHERS = frozenset(("ccache", "sccache", "distcc", "icecc", "env", "nice", "time", "nohup", "setarch"))
_BUILDERS = frozenset(("ninja", "ninja-build", "windrow-ninja", "samu", "windrow"))
# Those that go by lists which configuring left in the build folder, of what all edges make: no edge names that.
_RUNNERS = frozenset(("ctest", "cpack"))
# Where CMake's ExternalProject notes down which of its steps are done.
_STEPS = re.compile(r"-stamp/(?:[^/\s]+/)?[^/\s]+(?:\s|$)")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
# Programs that read what their command line names and nothing else of a project.
_CLOSED = re.compile(
    r"(?:.*-)?(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+|gfortran|ld|ld\.\w+|ar|gcc-ar|llvm-ar|ranlib|strip|objcopy|nm)"
    r"(?:-\d+(?:\.\d+)*)?|rm|cp|mv|ln|mkdir|touch|echo|true|:|cd|install|cat|printf|test|\[|gzip|cmp"
    r"|(?:sha\d+|md5|b2)sum|cksum|wc|head|tail|sort|uniq|cut|tr|od|base64|chmod|sleep"
)
# With these words some of them read what a file names.
_LISTED = re.compile(r"(?:sha\d+|md5|b2|ck)sum\s+(?:-\S+\s+)*?(?:-\w*c|--check)(?!\S)|\s--files0-from")
_THIN = re.compile(r"(?:^|[\s/;&-])ar(?:-\d+)?\s+(?:-?[a-zA-Z]*T[a-zA-Z]*\s|(?:\S+\s+)*?--thin\s)")
_COMPILER = re.compile(r"(?:.*-)?(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+)(?:-\d+(?:\.\d+)*)?")
# So a compiler of another name is told to compile: what else writes depfiles may find its files in ways of its own.
_COMPILES = re.compile(r"(?<!\S)[-/]c(?!\S)")
# The shell puts in words that the line does not say.
_UNTOLD = re.compile(r"[*?`]|\$\(")
# A folder of the tree (no absolute path, once its own is marked) that is searched for libraries or copied whole.
_OPENS_FOLDERS = re.compile(r"(?<!\S)(?:-L *[^\s/]|cp(?: \S+)*? (?:-[A-Za-z]*[rRa]|--recursive|--archive)(?!\S))")
# Tools of build generators that read what their words name.
_GENERATORS = ("cmake", "meson")
_TOOL = re.compile(
    r"(?:cmake -E (?:rm|remove|copy|copy_if_different|create_symlink|cmake_symlink_library|"
    r"cmake_symlink_executable|touch|touch_nocreate|make_directory|echo|echo_append|rename|true)"
    r"|meson --internal symbolextractor)\b"
)


def programs(command: str) -> tuple[str, ...]:
    """The first word of each simple command of a shell text, and what launchers launch."""
    if _JOINTS.search(command) is None and (simple := _SIMPLE.match(command)):
        head = simple[0]
        if basename(head) not in _LAUNCHERS and "=" not in head:
            return (head,)
    return tuple(dict.fromkeys(_all(command)))


def _all(command: str) -> Iterator[str]:
    for word in first_words(command):
        yield word
        if basename(word) in _LAUNCHERS:
            yield from _launched(command, word)


def _launched(command: str, launcher: str) -> Iterator[str]:
    words = command[command.index(launcher) + len(launcher) :].split() if launcher in command else []
    for word in words:
        if word.startswith("-") or _ASSIGNMENT.match(word):
            continue
        yield word
        return


def thin(command: str) -> bool:
    """Whether a command makes an archive that holds only where its members lie: who reads it reads those."""
    return _THIN.search(command) is not None


def builds(command: str, heads: tuple[str, ...], outs: str) -> bool:
    """Whether a command runs this build (CMake's `clean`), its tests, or a build inside of it, with a state of its own.

    outs: the outputs of the edge, apart by blanks.
    """
    if any(basename(head) in _BUILDERS or basename(head) in _RUNNERS for head in heads):
        return True
    tools = [head for head in heads if basename(head) == "cmake"]
    if tools and _STEPS.search(outs):
        return True
    return any(re.search(re.escape(tool) + r"\s+(?!-[EP]\s)", command) for tool in tools)


def finds(command: str, heads: tuple[str, ...], first_input: str, *, depfile: bool) -> Finds:
    """How the inputs of a command can be told before its first run."""
    if first_input.rpartition(".")[2].lower() in COMPILED and (
        (depfile and _COMPILES.search(command)) or any(_COMPILER.fullmatch(basename(head)) for head in heads)
    ):
        return "includes"
    if depfile or not heads or _UNTOLD.search(command) or _LISTED.search(command):
        return "tree"
    if all(_CLOSED.fullmatch(basename(head)) or basename(head) in _GENERATORS for head in heads):
        tools = [head for head in heads if basename(head) in _GENERATORS]
        calls = sum(command.count(f"{head} ") for head in tools)
        if calls == len(_TOOL.findall(command)):
            return "declared"
    return "tree"


def opens_folders(marked: str) -> bool:
    """Whether a command that reads what its line names, with the tree's own path marked, names folders to look into."""
    return _OPENS_FOLDERS.search(marked) is not None
