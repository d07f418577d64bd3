"""What a compile's command line says of where headers are looked for. Pure.

Flags of gcc and clang. What cannot be read is a doubt: then more may be read than the scan can tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from coordinator.includes import msvc
from coordinator.includes.places import Places
from coordinator.includes.words import Simple, response_words, simple_commands
from shared.directives import C_FAMILY

_COMPILER = re.compile(
    r"(?:.*[-/])?(?:cc|c\+\+|gcc|g\+\+|clang|clang\+\+|cpp|as|c89|c99|icc|icpc|icx|icpx|tcc|nvcc|hipcc|emcc|em\+\+"
    r"|armclang|dpcpp|nvc|nvc\+\+|pgcc|pgc\+\+|mpicc|mpicxx|mpic\+\+|mpiCC|CC|gfortran)(?:-?\d+(?:\.\d+)*)?(?:\.exe)?\Z"
)
_NO_COMPILE = frozenset(
    (
        *(":", "true", "false", "mkdir", "rm", "mv", "cp", "ln", "touch", "echo", "printf", "test", "[", "chmod"),
        *("sed", "grep", "cat", "export", "set", "unset", "umask", "ar", "ranlib", "strip", "sleep", "install"),
    )
)
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)\Z", re.DOTALL)
# Names what is written, or no file: the next word belongs to it.
_SKIPPED = frozenset(
    (
        *("-o", "-MF", "-MT", "-MQ", "-MJ", "-U", "-F", "-u", "-z", "-G", "-e", "-A", "-arch", "-target", "-aux-info"),
        *("-dumpbase", "-dumpbase-ext", "-dumpdir", "-wrapper", "-iframework", "-iframeworkwithsysroot", "-imultilib"),
        *("-serialize-diagnostics", "--serialize-diagnostics", "--param", "-Xlinker", "-L", "-rpath", "-mllvm"),
        *("-install_name", "-undefined", "-framework", "--output", "-gcc-toolchain"),
    )
)
_SEARCH = {
    "-I": "plain", "--include-directory": "plain", "-iquote": "quote", "-isystem": "system",
    "-cxx-isystem": "system", "-c-isystem": "system", "-objc-isystem": "system", "-objcxx-isystem": "system",
    "-isystem-after": "after", "-idirafter": "after", "--include-directory-after": "after", "--embed-dir": "embed",
    "-iwithprefixbefore": "plain", "-iwithprefix": "after", "-stdlib++-isystem": "system",
}  # fmt: skip
_FORCED = ("-include", "-imacros", "--include", "--imacros")
_LONGEST_FIRST = sorted(
    (*_SEARCH, *_FORCED, "-D", "--define-macro", "-iprefix", "-isysroot", "--sysroot", "-B"), key=len, reverse=True
)
_JOINED = re.compile("(" + "|".join(map(re.escape, _LONGEST_FIRST)) + ")(.*)", re.DOTALL)
_VALUE = re.compile(r"[^=]*=(.+)", re.DOTALL)
_MANY = ("-Wp,", "-Wa,")
_PASSED_ON = frozenset(("-Xclang", "-Xpreprocessor", "-Xcompiler", "--compiler-options", "-Xarch_host"))
_CXX = frozenset(("cc", "cp", "cpp", "cxx", "c++", "C", "ii", "ixx", "mm", "cu"))


@dataclass(slots=True)
class Compile:
    """One compile; folders are places of the tree, those outside of it are left out.

    named: files of the tree that are words of the command. language: what `-x` said. nostdinc: system headers are
    not looked at. defines: `-D` with a value. doubts: why it may read more.
    """

    cwd: str
    plain: list[str] = field(default_factory=list)
    quote: list[str] = field(default_factory=list)
    system: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    embed: list[str] = field(default_factory=list)
    assembler: list[str] = field(default_factory=list)
    forced: list[str] = field(default_factory=list)
    defines: list[tuple[str, str]] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    passed: set[str] = field(default_factory=set)
    doubts: list[str] = field(default_factory=list)
    cxx: bool = False
    nostdinc: bool = False
    here: bool = True


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a command runs: environment, response files by the name in the command, and a reader of those in the tree.

    `response` gives the text of a place, None if there is none.
    """

    places: Places
    environ: Mapping[str, str]
    response: Callable[[str, str], str | None]
    is_file: Callable[[str], bool]


def compiles(command: Sequence[str] | str, cwd: str, around: Surroundings) -> list[Compile]:
    """Every compile in a command, which begins in a folder of the tree."""
    found: list[Compile] = []
    strangers: list[Compile] = []
    folders = [cwd]
    doubts: list[str] = []
    exported = dict(around.environ)
    for simple in simple_commands(command, around.environ):
        del folders[simple.depth + 1 :]
        folders += [folders[-1]] * (simple.depth + 1 - len(folders))
        program = simple.words[0]
        if program == "cd":
            place = around.places.of(folders[-1], simple.words[-1]) if len(simple.words) > 1 else None
            if place is None or not simple.clear:
                doubts.append(f"the command goes to a folder outside of the tree: {' '.join(simple.words)}")
            folders[-1] = place or ""
        elif program in ("export", "declare") or all(map(_ASSIGNMENT.match, simple.words)):
            exported.update(_assignments(simple.words))
        elif program not in _NO_COMPILE:
            one, known = _compile(simple, folders[-1], exported, around)
            (found if known else strangers).append(one)
    if not found:
        found = strangers
        doubts += [f"no compiler is known in the command: {one.doubts.pop(0)}" for one in strangers]
    for one in found:
        one.doubts += doubts
    return found


def _compile(simple: Simple, cwd: str, exported: Mapping[str, str], around: Surroundings) -> tuple[Compile, bool]:
    words = simple.words
    start = next((n for n, word in enumerate(words) if word[:1] != "-" and _compiles(word)), None)
    one = Compile(cwd)
    if start is None:
        one.doubts.append(words[0])
    if not simple.clear:
        one.doubts.append("the shell puts something into the command that is not known")
    environ = dict(exported)
    environ.update(_assignments(words[:start]))
    program = words[start or 0]
    one.cxx = "++" in program or program.endswith(("CC", "cxx"))
    reader = _Reader(one, around, foreign=msvc.speaks(program))
    reader.read(words[(start or 0) + 1 :])
    reader.read_environment(environ)
    return one, start is not None


def _compiles(word: str) -> bool:
    return _COMPILER.match(word) is not None or msvc.speaks(word)


def _assignments(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    return ((match[1], match[2]) for word in words if (match := _ASSIGNMENT.match(word)))


class _Reader:
    """Reads words into a Compile; foreign: they are those of cl."""

    def __init__(self, one: Compile, around: Surroundings, *, foreign: bool = False) -> None:
        self._one, self._around, self._foreign = one, around, foreign
        self._prefix = ""
        self._forced_language = False

    def read(self, words: Sequence[str], depth: int = 0) -> None:
        rest = iter(msvc.in_gcc(words, self._there) if self._foreign else words)
        for word in rest:
            if word[:1] != "-":
                self._file(word, depth)
            elif word[:2] == "-I" and len(word) > 2 and word != "-I-":
                self._folder("plain", word[2:])
            elif word in _PASSED_ON:
                continue
            elif word in _SKIPPED:
                next(rest, None)
            elif not self._flag(word, rest):
                self._other(word, depth)

    def read_environment(self, environ: Mapping[str, str]) -> None:
        one = self._one
        if not environ:
            return
        own = "CPLUS_INCLUDE_PATH" if one.cxx else "C_INCLUDE_PATH"
        searched = (("CPATH", one.plain), (own, one.system), ("OBJC_INCLUDE_PATH", one.system))
        for name, folders in (("INCLUDE", one.system),) if self._foreign else searched:
            for text in environ[name].split(";" if self._foreign else ":") if environ.get(name) else ():
                place = self._place(text or ".")
                if place is not None:
                    folders.append(place)

    def _flag(self, word: str, rest: Iterator[str]) -> bool:
        """Read a flag that has to do with files; false for another."""
        one = self._one
        if word == "-I-":
            one.quote += one.plain
            one.plain, one.here = [], False
        elif word == "-x":
            language = next(rest, "")
            self._forced_language = language != "none"
            one.cxx = one.cxx or "++" in language
        elif word in ("-nostdinc", "-fmodules", "-fcxx-modules", "-fmodules-ts", "--nostdinc"):
            one.nostdinc = one.nostdinc or "nostdinc" in word
            if "modules" in word:
                one.doubts.append(f"it may read modules: {word}")
        elif word == "-Xassembler":
            self._assembler([next(rest, "")])
        elif word in ("-working-directory", "-include-pch", "-T", "-ivfsoverlay"):
            self._named(next(rest, ""))
            if word == "-working-directory":
                one.doubts.append("-working-directory")
        else:
            match = _JOINED.match(word)
            if match is None or word.startswith(("-include-pch", "-include-", "-isystem-after=")):
                return False
            flag, value = match.groups()
            if not value:
                value = next(rest, "")
            elif flag.startswith("--"):
                if value[0] != "=":
                    return False
                value = value[1:]
            self._valued(flag, value)
        return True

    def _valued(self, flag: str, value: str) -> None:
        one = self._one
        if flag in ("-D", "--define-macro"):
            name, equals, text = value.partition("=")
            if equals:
                one.defines.append((name, text))
        elif flag in _FORCED:
            one.forced.append(value)
        elif flag == "-iprefix":
            self._prefix = value
        elif flag in ("-isysroot", "--sysroot"):
            if self._place(value) is not None:
                one.doubts.append(f"the system's headers are in the tree: {value}")
        elif flag == "-B":
            self._folder("system", value.rstrip("/") + "/include")
        else:
            self._folder(_SEARCH[flag], self._prefix + value if flag.startswith("-iwithprefix") else value)

    def _other(self, word: str, depth: int) -> None:
        if word.startswith(_MANY):
            parts = word[4:].split(",")
            if word.startswith("-Wa"):
                self._assembler(parts)
            else:
                # What -Wp,-MD, is followed by is written.
                self.read(
                    [part for n, part in enumerate(parts) if n == 0 or parts[n - 1] not in ("-MD", "-MMD")], depth
                )
        elif match := _VALUE.match(word):
            self._named(match[1])

    def _assembler(self, words: Sequence[str]) -> None:
        for flag, word in zip(("", *words), words, strict=False):
            text = word[2:] if word.startswith("-I") else word if flag == "-I" else ""
            place = self._place(text) if text else None
            if place is not None:
                self._one.assembler.append(place)

    def _file(self, word: str, depth: int) -> None:
        if word[:1] == "@" and len(word) > 1:
            text = self._around.response(self._one.cwd, word[1:]) if depth < 16 else None
            self._named(word[1:])
            if text is None:
                self._one.doubts.append(f"the response file {word[1:]} cannot be read")
            else:
                self.read(response_words(text), depth + 1)
            return
        place = self._around.places.of(self._one.cwd, word)
        if place is None or not self._around.is_file(place):
            return
        suffix = word.rpartition(".")[2]
        if self._forced_language or suffix.lower() in C_FAMILY:
            self._one.sources.append(place)
            self._one.cxx = self._one.cxx or suffix in _CXX
        else:
            self._one.named.append(place)

    def _named(self, text: str) -> None:
        place = self._place(text)
        if place is not None and self._around.is_file(place):
            self._one.named.append(place)

    def _folder(self, kind: str, text: str) -> None:
        place = self._place(text.removeprefix("=") or ".")
        if place is None:
            return
        if text.endswith(".hmap"):
            self._named(text)
            self._one.doubts.append(f"a header map: {text}")
        getattr(self._one, kind).append(place)

    def _there(self, text: str) -> bool:
        place = self._around.places.of(self._one.cwd, text)
        return place is not None and self._around.is_file(place)

    def _place(self, text: str) -> str | None:
        return self._around.places.of(self._one.cwd, text, self._one.passed)
