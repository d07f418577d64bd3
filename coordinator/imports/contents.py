"""What one Python file asks for: bytes to names, and where it asks for what only a run can tell. Pure."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

import msgspec

# Calls whose first argument names a module or a file of code.
_IMPORTING = frozenset({
    "__import__", "import_module", "importorskip", "run_module", "run_path", "find_spec", "spec_from_file_location",
    "SourceFileLoader", "load_module", "load_source", "import_string", "resolve_name",
})  # fmt: skip
# Calls that find modules by looking what there is.
_ENUMERATING = frozenset({"iter_modules", "walk_packages"})
_LISTING = frozenset({"glob", "rglob", "iglob", "iterdir", "listdir", "scandir", "walk"})
_WHERE = frozenset({"__file__", "__path__", "getfile", "getsourcefile"})
_NAME = re.compile(r"\.*[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?::[\w.]+)?")
_IMPORT = re.compile(r"(?:^|[\n;:]|>>>|\.\.\.)[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import|import[ \t]+([\w., \t]+))")
_LONGEST = 200  # characters of a text that may be a path


class Contents(msgspec.Struct, frozen=True, array_like=True):
    """names: modules asked for, absolute (`a.b`; of `from a import b` also `a.b`; `a.*` for all in `a`), sorted.

    relative: the same with the number of leading dots. texts: string constants that may name a module or a file.
    dynamic: lines of imports of names that only a run can tell. listing: lines that look what files there are.
    """

    names: tuple[str, ...] = ()
    relative: tuple[tuple[int, str], ...] = ()
    texts: tuple[str, ...] = ()
    dynamic: tuple[int, ...] = ()
    listing: tuple[int, ...] = ()


NOTHING = Contents()


def read(data: bytes) -> Contents:
    """What a file's bytes ask for; nothing where they are no Python, since that cannot be imported either."""
    try:
        with warnings.catch_warnings():
            # An invalid escape in somebody's file is none of our business.
            warnings.simplefilter("ignore")
            tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return NOTHING
    return _Reader(tree).contents()


class _Reader:
    def __init__(self, tree: ast.AST) -> None:
        self.names: set[str] = set()
        self.relative: set[tuple[int, str]] = set()
        self.texts: set[str] = set()
        self.dynamic: list[int] = []
        self.listing: list[int] = []
        self.knows_where = False
        for node in ast.walk(tree):
            self._node(node)

    def contents(self) -> Contents:
        """All that was found."""
        return Contents(
            tuple(sorted(self.names)),
            tuple(sorted(self.relative)),
            tuple(sorted(self.texts)),
            tuple(self.dynamic),
            # Who lists folders of its own making needs no file of the tree.
            tuple(self.listing) if self.knows_where else (),
        )

    def _node(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            self.names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            self._import_from(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            self._text(node.value)
        elif isinstance(node, ast.Call):
            self._call(node)
        elif isinstance(node, ast.Name | ast.Attribute):
            self.knows_where |= _called(node) in _WHERE

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        found = [module, *(f"{module}.{alias.name}".lstrip(".") for alias in node.names)]
        if node.level:
            self.relative.update((node.level, name) for name in found)
        else:
            self.names.update(found)

    def _text(self, text: str) -> None:
        if "import" in text:
            for found in _IMPORT.finditer(text):
                names = (found[1] or found[2]).split(",")
                self.names.update(name.split()[0].lstrip(".") for name in names if name.strip(" \t."))
        if 0 < len(text) <= _LONGEST and "\n" not in text and (_NAME.fullmatch(text) or "/" in text or "." in text):
            self.texts.add(text)

    def _call(self, node: ast.Call) -> None:
        name = _called(node.func)
        if name in _ENUMERATING:
            self.dynamic.append(node.lineno)
        elif name in _LISTING:
            self.listing.append(node.lineno)
        elif name in _IMPORTING and not any(map(_constant, _arguments(node))):
            self.dynamic.append(node.lineno)


def _called(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _arguments(node: ast.Call) -> Iterator[ast.expr]:
    yield from node.args[:2]
    yield from (word.value for word in node.keywords if word.arg in ("name", "path", "location"))


def _constant(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
