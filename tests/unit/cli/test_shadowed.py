"""A checkout with folders named like our packages: the command runs our own, in every way it may be started."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.console import Console

OURS = ("shared", "cli", "coordinator", "workers")
RULE = """\
[project]
name = "shadow"

[[rule]]
name = "count"
each = "{shared,cli,coordinator,workers}/__init__.py"
command = "wc -c < {in} > {out}"
outputs = ["out/{dir}"]
"""


@pytest.fixture
def shell(tmp_path: Path) -> Console:
    """Whoever imports one of its packages ends at once, and loudly."""
    tree = tmp_path / "tree"
    for name in OURS:
        (tree / name).mkdir(parents=True)
        (tree / name / "__init__.py").write_text(f"raise SystemExit('the {name} of the checkout was imported')\n")
    (tree / "windrow.toml").write_text(RULE)
    return Console(tree, tmp_path / "cache")


def scripts() -> list[list[str]]:
    """How it may be started: as a module, and by the console script where it is installed."""
    script = shutil.which("windrow", path=str(Path(sys.executable).parent))
    return [[sys.executable, "-m", "windrow"], *([[script]] if script else [])]


@pytest.mark.parametrize("command", scripts(), ids=["module", "script"][: len(scripts())])
@pytest.mark.parametrize("path", ["", ".", "cwd"], ids=["no PYTHONPATH", "PYTHONPATH=.", "PYTHONPATH=here"])
def test_a_build_runs_our_own_packages(shell: Console, command: list[str], path: str) -> None:
    env = shell.environment({"PYTHONPATH": str(shell.folder) if path == "cwd" else path} if path else {})

    done = subprocess.run([*command, "build"], cwd=shell.folder, env=env, capture_output=True, text=True, check=False)
    again = subprocess.run([*command, "build"], cwd=shell.folder, env=env, capture_output=True, text=True, check=False)

    assert (done.returncode, again.returncode) == (0, 0), done.stderr
    assert "4 jobs executed" in done.stderr
    assert "of the checkout was imported" not in done.stderr + again.stderr
    assert again.stdout.startswith("No changes detected")
    assert sorted(path.name for path in (shell.folder / "out").iterdir()) == sorted(OURS)


def test_what_is_imported_from_elsewhere_is_refused(shell: Console, tmp_path: Path) -> None:
    """Should the path still be wrong, the command says so instead of running a stranger's code."""
    copy = tmp_path / "copy"
    copy.mkdir()
    home = Path(sys.modules["shared"].__file__ or "").resolve().parents[1]
    shutil.copy(home / "windrow.py", copy / "windrow.py")

    done = subprocess.run(
        [sys.executable, str(copy / "windrow.py"), "build"],
        cwd=shell.folder,
        env=shell.environment({"PYTHONPATH": str(home)}),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "error[W3700]: 'shared' was imported from" in done.stderr
