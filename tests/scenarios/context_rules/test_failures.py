"""Bad and deleted rules, builds that are killed, folders and disks that take nothing."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.console import powerless
from tests.scenarios.context_project import FEW, LOCK, ContextProject, mdc
from tests.scenarios.context_rules.looks import manifest_of


def test_a_bad_rule_stops_the_build_with_file_and_line(small: ContextProject) -> None:
    """W4-07, S3-37."""
    small.rule("backend/rule-02", priority="high")
    small.third_paragraph("backend/rule-01")
    before = small.tree()

    said = small.console.run("build", "--incremental")

    assert said.code == 1
    assert (
        ".context/rules/backend/rule-02.md:2: `priority` must be a whole number from 0 to 100, not 'high'" in said.err
    )
    assert small.tree() == before


def test_keep_going_compiles_the_good_rules_and_lists_no_others(tmp_path: Path) -> None:
    """W4-07, S3-36, C01: no aggregate, no revision; after the fix only what is missing runs."""
    project = ContextProject(tmp_path / "tree", rules=FEW)
    bad = project.rule("backend/rule-02", description=None)

    said = project.console.run("build", "--keep-going")
    exported = manifest_of(project)

    assert said.code == 1
    assert f"{bad}:1: the front matter has no `description`" in said.err
    assert set(project.finals()) == {mdc(name) for name in FEW} - {mdc("backend/rule-02")}
    assert set(exported["files"]) == {"config.yaml", *(f"rules/{name}.md" for name in FEW if name != "backend/rule-02")}
    assert exported["partial"] is True
    assert exported["files"]["rules/frontend/rule-09.md"]["compiledTo"] == [mdc("frontend/rule-09")]
    assert project.project().load_base().manifest is None

    project.rule("backend/rule-02")
    report = project.build()

    assert (report.status, report.revision) == ("ok", 1)
    assert report.executed == 7  # parse and .mdc of the rule, and the five that need every rule
    assert "partial" not in manifest_of(project)


def test_a_deleted_rule_leaves_no_trace(small: ContextProject) -> None:
    """W4-08, S3-24, S3-25, S3-26."""
    small.delete(".context/rules/backend/rule-02.md")

    small.build()

    assert not small.exists(mdc("backend/rule-02"))
    assert "rules/backend/rule-02.md" not in manifest_of(small)["files"]
    assert "backend/rule-02" not in small.read("CLAUDE.md") + small.read("AGENTS.md")
    assert not any("rule-02" in path for path in small.manifest().artefacts)
    assert "the archived events tell the same as the manifest" in small.console.run("doctor").out


def test_the_edited_output_of_a_deleted_rule_is_kept_with_a_warning(small: ContextProject) -> None:
    """W4-08."""
    small.delete(".context/rules/backend/rule-02.md")
    small.write(mdc("backend/rule-02"), "mine\n")

    small.build()

    assert small.read(mdc("backend/rule-02")) == "mine\n"
    assert [w for w in small.observer.warnings if w.startswith(f"kept {mdc('backend/rule-02')}")]


def test_a_deleted_rule_that_is_still_referred_to_stops_the_build(small: ContextProject) -> None:
    """W4-08: a dead link, and nothing is deleted."""
    small.delete(".context/rules/backend/rule-01.md")
    before = small.tree()

    said = small.console.run("build", "--incremental")

    assert said.code == 1
    assert ".context/rules/backend/rule-03.md:7: the reference to 'rule-01.md' is dead" in said.err
    assert small.tree() == before


@pytest.mark.fault
@pytest.mark.parametrize(
    "place",
    [
        "materialise.journal-written",
        "materialise.renamed-1",
        *(pytest.param(f"materialise.renamed-{number}", marks=pytest.mark.slow) for number in (2, 3, 4, 5)),
        "materialise.renamed-6",
    ],
)
def test_a_build_killed_between_two_outputs_is_made_good(small: ContextProject, place: str) -> None:
    """W4-10: all old or all new after the next start, and no temporary file is left anywhere."""
    before = small.finals()
    small.edit(".context/config.yaml", '"1.0"', '"1.1"')

    killed = small.console.run("build", "--incremental", env={"WINDROW_FAILPOINT": f"{place}=kill"})
    small.edit(".context/config.yaml", '"1.1"', '"1.0"')
    report = small.build()

    assert (killed.code, report.status) in ((-signal.SIGKILL, "ok"), (-signal.SIGKILL, "no-changes"))
    assert small.finals() == before
    assert [path for path in small.tree() if ".tmp." in path] == []
    assert not small.exists(LOCK)


def test_an_output_folder_that_may_not_be_written_is_named(small: ContextProject) -> None:
    """W4-11, S3-39."""
    folder = small.root / ".cursor/rules"
    small.third_paragraph("backend/rule-01")
    folder.chmod(0o555)
    before = small.tree()

    said = small.console.run("build", "--incremental", before=powerless())
    between = small.tree()
    folder.chmod(0o755)

    assert said.code == 36
    assert "error[W3602]: permission denied while writing" in said.err
    assert str(folder) in said.err
    assert "has mode 555, owner uid" in said.err
    assert between == before


def test_a_full_disk_is_told_with_the_space_there_is(small: ContextProject) -> None:
    """W4-11, S3-38: the outputs lie on a disk of 64 KB; the tree stays as it was."""
    folder, old = small.root / ".cursor", small.cache / "old"
    shutil.copytree(folder, old)
    script = f'mount -t tmpfs -o size=64k tmpfs "$0" && cp -r {old}/. "$0" && "$@"'
    tight = ["unshare", "-rm", "sh", "-c", script, str(folder)]
    if subprocess.run([*tight, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no mount in a name space of one's own")
    small.rule("backend/rule-01", body="x" * 200_000)
    before = small.tree()

    said = small.console.run("build", "--incremental", before=tight)

    assert said.code == 36
    assert "error[W3601]: no space left while writing" in said.err
    assert re.search(r"why: [\d,]+ bytes free of 65,536", said.err)
    assert small.tree() == before
