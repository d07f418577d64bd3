"""Failed rules, a full disk, a permission denied: told, and nothing lost."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.console import powerless
from tests.scenarios.rule_project import DB, RuleProject


def test_a_failed_rule_keeps_what_succeeded_and_commits_nothing(built: RuleProject) -> None:
    """S3-36 with --keep-going (C01): good outputs reach the tree, the shared revision stays; later only the rest runs."""
    built.rule("backend/db", "Good.")
    built.write(".context/rules/frontend/style.md", "no front matter\n")

    said = built.console.run("build", "--keep-going")
    failed = built.manifest().revision
    good = "Good." in built.read(DB)
    built.rule("frontend/style", "Mended.")
    mended = built.build()

    assert said.code == 1
    assert "frontend/style.md: no description" in said.err
    assert "reproduce:" in said.err
    assert (good, failed) == (True, 1)
    assert mended.revision == 2
    assert DB not in built.made()


def test_a_build_that_fails_at_once_changes_no_output_and_no_manifest(built: RuleProject) -> None:
    """S3-37."""
    built.write(".context/rules/frontend/style.md", "no front matter\n")
    before, pointer = built.tree(), (built.records / "current.json").read_bytes()

    report = built.build()

    assert (report.status, report.failed, report.revision) == ("failed", 1, 0)
    assert built.tree() == before
    assert (built.records / "current.json").read_bytes() == pointer


def test_disk_full_is_told_with_the_space_there_is(built: RuleProject) -> None:
    """S3-38: the outputs lie on a disk of 64 KB; the tree stays as it was."""
    folder, old = built.root / ".cursor", built.cache / "old"
    shutil.copytree(folder, old)
    script = f'mount -t tmpfs -o size=64k tmpfs "$0" && cp -r {old}/. "$0" && "$@"'
    small = ["unshare", "-rm", "sh", "-c", script, str(folder)]
    if subprocess.run([*small, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no mount in a name space of one's own")
    built.rule("frontend/style", "x" * 200_000)
    before = built.tree()

    said = built.console.run("build", before=small)

    assert said.code == 36
    assert "error[W3601]: no space left while writing" in said.err
    assert re.search(r"why: [\d,]+ bytes free of 65,536", said.err)
    assert "fix: " in said.err
    assert built.tree() == before
    assert built.manifest().revision == 1


def test_permission_denied_is_told_with_path_and_permission(built: RuleProject) -> None:
    """S3-39: `.cursor/rules` may not be written; the tree stays as it was, and the next build makes it good."""
    built.rule("frontend/style", "Other.")
    folder = built.root / ".cursor/rules"
    folder.chmod(0o555)
    before = built.tree()

    said = built.console.run("build", before=powerless())
    between = built.tree()
    folder.chmod(0o755)
    mended = built.build()

    assert said.code == 36
    assert "error[W3602]: permission denied while writing" in said.err
    assert str(folder) in said.err
    assert "has mode 555, owner uid" in said.err
    assert between == before
    assert (mended.status, mended.revision) == ("ok", 2)
