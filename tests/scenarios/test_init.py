"""`windrow init` writes settings that fit what lies in the folder, and that build."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.console import Console, Said

ROOT = Path(__file__).resolve().parents[2]


class Folder:
    """A folder with some files in it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "My project"
        self.root.mkdir()
        self.console = Console(self.root, root / "cache")

    def write(self, files: dict[str, str]) -> None:
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)

    def init(self) -> Said:
        """What is said; it went well."""
        said = self.console.run("init")
        assert said.code == 0
        return said

    @property
    def settings(self) -> str:
        """The windrow.toml."""
        return (self.root / "windrow.toml").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_project_in_c_plus_plus_gets_rules_that_build_it(folder: Folder) -> None:
    folder.write(
        {
            "src/main.cpp": '#include "name.h"\nint main() { return half(name()); }\n',
            "src/half.c": "int half(int x) { return x / 2; }\n",
            "include/name.h": 'inline int name() { return 6; }\nextern "C" int half(int);\n',
        }
    )

    assert "next: windrow build" in folder.init().out

    assert folder.console.run("build", "--json").json()["executed"] == 3
    assert (folder.root / "build/my-project").is_file()


@pytest.mark.parametrize(
    ("file", "configure"),
    [
        ("CMakeLists.txt", "cmake -S . -B build -G Ninja -DCMAKE_MAKE_PROGRAM=windrow-ninja"),
        ("meson.build", "NINJA=windrow-ninja meson setup build"),
    ],
)
def test_what_another_tool_describes_is_left_to_ninja(folder: Folder, file: str, configure: str) -> None:
    folder.write({file: "", "src/a.c": ""})

    said = folder.init()

    assert f"next: {configure} && windrow build" in said.out
    assert 'file = "build/build.ninja"' in folder.settings
    assert "[[rule]]" not in folder.settings


def test_a_configured_build_is_found_wherever_it_lies(folder: Folder) -> None:
    build = "rule cp\n  command = cp $in $out\nbuild a.out: cp ../../a.in\n"
    folder.write(
        {"CMakeLists.txt": "", "a.in": "a", "out/debug/build.ninja": build, "out/debug/CMakeFiles/test_id.c": ""}
    )

    assert "next: windrow build" in folder.init().out

    assert folder.console.run("build", "--json").json()["executed"] == 1
    assert (folder.root / "out/debug/a.out").read_text() == "a"


def test_a_python_project_gets_its_tests(folder: Folder) -> None:
    folder.write({"pyproject.toml": "", "src/calc.py": "", "tests/test_calc.py": "def test_one():\n    assert True\n"})

    assert "next: windrow test" in folder.init().out

    assert "[[rule]]" not in folder.settings
    assert "tests/test_calc.py" in folder.console.run("test", "--dry-run").out


def test_only_what_was_missing_is_said_to_be_added_for_git(folder: Folder) -> None:
    folder.write({".gitignore": "build\n"})

    assert "added .windrow/, windrow.local.toml to .gitignore" in folder.init().out
    assert ".gitignore" not in folder.init().out


def test_what_it_says_comes_next_works_where_there_is_no_ninja(folder: Folder, tmp_path: Path) -> None:
    """Words as it says them, with what is installed but for ninja."""
    if shutil.which("cmake") is None:
        pytest.skip("there is no cmake here")
    folder.write(
        {
            "CMakeLists.txt": "cmake_minimum_required(VERSION 3.16)\nproject(next C)\nadd_executable(next main.c)\n",
            "main.c": "int main(void) { return 0; }\n",
        }
    )
    (tmp_path / "bin").mkdir()
    for name in ("sh", "cmake", "cc", "gcc", "as", "ld", "ar", "ranlib", "uname", "env"):
        if found := shutil.which(name):
            (tmp_path / "bin" / name).symlink_to(found)
    for name, call in (("windrow", "main"), ("windrow-ninja", "ninja")):
        (tmp_path / "bin" / name).write_text(f"#!{sys.executable}\nimport windrow\nwindrow.{call}()\n")
        (tmp_path / "bin" / name).chmod(0o755)
    next_ = folder.init().out.splitlines()[-1].removeprefix("next: ")
    environ = folder.console.environment({"PATH": str(tmp_path / "bin"), "PYTHONPATH": str(ROOT)})

    done = subprocess.run(["sh", "-c", next_], cwd=folder.root, env=environ, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder.root / "build/next").is_file()
