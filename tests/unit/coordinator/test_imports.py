"""What Python files import: names, relative names, texts that name modules, and what only a run can tell."""

from __future__ import annotations

import pytest

from coordinator.imports.cache import SCHEMA, ImportCache
from coordinator.imports.closure import Imports
from coordinator.imports.contents import Contents, read
from coordinator.imports.modules import ModuleIndex
from shared import hashing


def imports(
    files: dict[str, str], *, roots: tuple[str, ...] = ("src", ""), reads: dict[str, list[str]] | None = None
) -> Imports:
    index = ModuleIndex(files, roots)
    return Imports(index, lambda path: read(files[path].encode()), reads or {})


def reached(files: dict[str, str], start: str, **more: object) -> set[str]:
    return set(imports(files, **more).closure(start).via) - {start}  # type: ignore[arg-type]


PACKAGE = {
    "src/pkg/__init__.py": "",
    "src/pkg/a.py": "",
    "src/pkg/b.py": "",
    "src/pkg/deep/__init__.py": "from . import inner",
    "src/pkg/deep/inner.py": "",
    "helper.py": "",
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import pkg.a", {"a.py"}),
        ("from pkg import a", {"a.py"}),
        ("from pkg import a as b", {"a.py"}),
        ("from pkg.a import thing", {"a.py"}),
        ("def f():\n    import pkg.b", {"b.py"}),
        ("if False:\n    from pkg import b\n", {"b.py"}),
        ("try:\n    import pkg.a\nexcept ImportError:\n    import pkg.b\n", {"a.py", "b.py"}),
        ("from pkg import *", {"a.py", "b.py"}),
        ("import pkg.deep", {"deep/__init__.py", "deep/inner.py"}),
        ("import importlib\nimportlib.import_module('pkg.a')", {"a.py"}),
        ("from unittest import mock\nmock.patch('pkg.b.function')", {"b.py"}),
        ("pytest_plugins = ['pkg.a']", {"a.py"}),
        ("import subprocess\nsubprocess.run(['python', '-m', 'pkg.b'])", {"b.py"}),
        ("import subprocess\nsubprocess.run(['python', '-c', 'import sys; from pkg.a import x'])", {"a.py"}),
        ("def f():\n    '''>>> from pkg.b import x\n    '''", {"b.py"}),
        ("path = 'src/pkg/a.py'", {"a.py"}),
        ("import os.path, json", set()),
        ("import pkg_that_is_not_there.a", set()),
    ],
)
def test_what_a_file_asks_for_is_found(text: str, found: set[str]) -> None:
    files = {**PACKAGE, "tests/test_x.py": text}

    inside = {
        path.removeprefix("src/pkg/") for path in reached(files, "tests/test_x.py") if path.startswith("src/pkg/")
    }
    # A package is run before what is in it.
    assert inside - {"__init__.py"} == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from . import sibling", "src/pkg/sub/sibling.py"),
        ("from .sibling import x", "src/pkg/sub/sibling.py"),
        ("from .. import a", "src/pkg/a.py"),
        ("from ..a import x", "src/pkg/a.py"),
        ("import importlib\nimportlib.import_module('.sibling', __package__)", "src/pkg/sub/sibling.py"),
    ],
)
def test_relative_imports_count_from_the_file(text: str, found: str) -> None:
    files = {**PACKAGE, "src/pkg/sub/__init__.py": "", "src/pkg/sub/sibling.py": "", "src/pkg/sub/it.py": text}

    assert found in reached(files, "src/pkg/sub/it.py")


def test_every_root_that_has_a_name_counts_and_a_new_file_that_is_found_first_too() -> None:
    files = {"src/one.py": "", "tests/test_x.py": "import one"}

    assert reached(files, "tests/test_x.py") == {"src/one.py"}
    assert reached({**files, "one.py": ""}, "tests/test_x.py") == {"src/one.py", "one.py"}


def test_packages_without_an_init_and_built_modules_are_found() -> None:
    files = {"src/space/mod.py": "", "src/fast.cpython-311-x86_64-linux-gnu.so": "", "t.py": "import space.mod, fast"}

    assert reached(files, "t.py") == {"src/space/mod.py", "src/fast.cpython-311-x86_64-linux-gnu.so"}


def test_a_circle_of_imports_ends() -> None:
    files = {"a.py": "import b", "b.py": "import a", "t.py": "import a"}

    assert reached(files, "t.py") == {"a.py", "b.py"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("import importlib\nx = importlib.import_module(name)", 2),
        ("__import__(f'pkg.{x}')", 1),
        ("import pkgutil\nlist(pkgutil.walk_packages(pkg.__path__))", 2),
        ("import runpy\n\nrunpy.run_path(path)", 3),
        ("from pathlib import Path\nfiles = list(Path(__file__).parent.glob('*.py'))", 2),
    ],
)
def test_what_only_a_run_can_tell_is_known_with_its_line(text: str, line: int) -> None:
    files = {"m.py": text, "t.py": "import m"}

    assert imports(files).closure("t.py").unknown == {"m.py": line}
    assert imports(files, reads={"m.py": []}).closure("t.py").unknown == {}


@pytest.mark.parametrize(
    "text",
    [
        "import importlib\nimportlib.import_module('pkg.a')",
        "from pathlib import Path\nlist(tmp_path.glob('*'))",
        "x = 'glob'",
    ],
)
def test_what_is_plain_to_see_is_not_unknown(text: str) -> None:
    assert imports({"t.py": text}).closure("t.py").unknown == {}


def test_declared_reads_are_edges_of_any_file() -> None:
    files = {"t.py": "import m", "m.py": "", "data/x.json": "", "other.json": ""}

    assert reached(files, "t.py", reads={"m.py": ["data/x.json"]}) == {"m.py", "data/x.json"}


@pytest.mark.parametrize(
    "data", [b"def broken(:", b"\x00\x01", "x = '\ud800'".encode("utf-8", "surrogatepass"), b"print 'two'"]
)
def test_what_is_no_python_asks_for_nothing(data: bytes) -> None:
    assert read(data) == Contents()


def test_contents_are_kept_by_digest_and_only_for_one_version(tmp_path) -> None:
    source = tmp_path / "m.py"
    source.write_bytes(b"import one")
    kept = tmp_path / "cache/imports"
    digest = hashing.of_bytes(b"import one")
    first = ImportCache(kept)
    assert first.get(digest, source).names == ("one",)
    assert first.save() == ""
    source.unlink()

    assert ImportCache(kept).get(digest, source).names == ("one",)
    kept.write_bytes(kept.read_bytes().replace(SCHEMA.encode()[:9], b"windrow.x"))
    assert ImportCache(kept).get(digest, source).names == ()


def test_a_file_that_changed_since_it_was_looked_at_is_not_kept_under_the_old_digest(tmp_path) -> None:
    source = tmp_path / "m.py"
    source.write_bytes(b"import two")
    cache = ImportCache(tmp_path / "imports")
    old = hashing.of_bytes(b"import one")
    cache.get(old, source)
    source.write_bytes(b"import one")

    assert cache.get(old, source).names == ("one",)
