"""A disk that is full and a folder that may not be written: a named error, an unchanged tree, and no harm done."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.disk import MEGABYTE, fill, needs_root, small_disk
from tests.faults.site import JOBS, Site

pytestmark = [pytest.mark.fault, pytest.mark.timeout(120), needs_root]

NOBODY = 65534


def tree_of(site: Site) -> dict[str, bytes]:
    """Every file of the tree but the engine's own."""
    return {
        str(path.relative_to(site.tree)): path.read_bytes()
        for path in sorted(site.tree.rglob("*"))
        if path.is_file() and ".windrow" not in path.parts and path.name != ".filler"
    }


def big(site: Site) -> frozenset[str]:
    """Make a source so big that its part, pair, half and whole are three megabytes each; those jobs."""
    site.write(3, "x" * (3 * MEGABYTE - 1) + "\n")
    return frozenset({"part3", "pair1", "half0", "whole"})


@contextmanager
def ending(site: Site) -> Iterator[Site]:
    try:
        yield site
    finally:
        site.end()


def test_full_while_a_blob_is_stored(tmp_path: Path) -> None:
    environ = {"WINDROW_SANDBOX_DIR": str(tmp_path / "sandbox")}
    with small_disk(tmp_path / "cache") as disk, ending(Site(tmp_path, environ)) as site, site.witness():
        site.right()
        needed, known = big(site), site.results()
        before = tree_of(site)
        filler = fill(disk, leaving=7 * MEGABYTE)

        built = site.build()

        assert built.code == 36, built.output
        assert "no space left while writing" in built.output
        assert str(disk) in built.output
        assert "bytes free of 16,777,216" in built.output
        assert tree_of(site) == before
        assert site.revision() == 1
        filler.unlink()
        healed = site.heals(needed=needed, known=known)
        assert set(healed.began) < needed


def test_full_while_a_job_writes_its_output(tmp_path: Path) -> None:
    with small_disk(tmp_path / "sandbox") as disk:
        environ = {"WINDROW_SANDBOX_DIR": str(disk)}
        with ending(Site(tmp_path, environ)) as site, site.witness():
            site.right()
            needed, known = big(site), site.results()
            before = tree_of(site)
            filler = fill(disk, leaving=4 * MEGABYTE)

            built = site.build()

            assert built.code in (1, 36), built.output
            assert "o space left" in built.output
            assert tree_of(site) == before
            assert site.revision() == 1
            filler.unlink()
            site.heals(needed=needed, known=known)


def test_full_while_outputs_are_staged(tmp_path: Path) -> None:
    with small_disk(tmp_path / "tree") as disk, ending(Site(tmp_path)) as site, site.witness():
        site.right()
        needed, known = big(site), site.results()
        before = tree_of(site)
        filler = fill(disk, leaving=7 * MEGABYTE)

        built = site.build()

        assert built.code == 36, built.output
        assert f"no space left while writing {disk}/.windrow/stage" in built.output
        assert "bytes free of 16,777,216" in built.output
        assert tree_of(site) == before
        assert site.revision() == 1
        filler.unlink()
        site.heals(needed=needed, known=known)


@pytest.mark.parametrize("place", ["commit.before-manifest", "commit.before-pointer"])
def test_full_while_committing(tmp_path: Path, place: str) -> None:
    with small_disk(tmp_path / "cache") as disk, ending(Site(tmp_path)) as site, site.witness():
        site.right()
        needed, known = site.edit(0), site.results()
        running = site.start(WINDROW_FAILPOINT=f"{place}=stop")
        running.await_stopped()
        filler = fill(disk)

        running.signal(signal.SIGCONT)
        built = running.wait()

        assert built.code == 36, built.output
        assert "no space left while writing" in built.output
        assert f"{disk}/store/projects/site/main/" in built.output
        assert "0 bytes free of 16,777,216" in built.output
        assert site.revision() == 1
        assert site.project().lock().current() is None
        filler.unlink()
        assert site.heals(needed=needed, known=known).began == ()


def fails_to_commit(site: Site, disk: Path) -> None:
    """A build that finds the disk full once its outputs are in the tree."""
    running = site.start(WINDROW_FAILPOINT="commit.before-manifest=stop")
    running.await_stopped()
    filler = fill(disk)
    running.signal(signal.SIGCONT)
    built = running.wait()
    assert built.code == 36, built.output
    filler.unlink()


def test_an_edit_taken_back_after_a_commit_that_failed_takes_the_outputs_back(tmp_path: Path) -> None:
    with small_disk(tmp_path / "cache") as disk, ending(Site(tmp_path)) as site, site.witness():
        site.right()
        before = site.outputs()
        site.edit(0)
        fails_to_commit(site, disk)
        assert site.outputs() == site.expected() != before

        site.write(0, "text 0\n")
        built = site.right(began=0)

        assert site.outputs() == before
        assert "the revision is as it should be" in built.output
        assert site.revision() == 1
        assert "No changes" in site.right(began=0).output


def test_an_output_that_a_failed_commit_removed_stays_away_or_comes_back_with_its_rule(tmp_path: Path) -> None:
    with small_disk(tmp_path / "cache") as disk, ending(Site(tmp_path)) as site, site.witness():
        site.right()
        rules = (site.tree / "windrow.toml").read_text()
        fewer = rules[: rules.index('[[rule]]\nname = "whole"')]
        (site.tree / "windrow.toml").write_text(fewer)
        fails_to_commit(site, disk)
        assert site.outputs().keys() == site.expected().keys() - {"out/whole"}

        (site.tree / "windrow.toml").write_text(rules)
        site.right(began=0)
        (site.tree / "windrow.toml").write_text(fewer)
        fails_to_commit(site, disk)
        built = site.build()

        assert (built.code, built.began) == (0, ()), built.output
        assert site.revision() == 2
        assert site.outputs().keys() == site.expected().keys() - {"out/whole"}


def test_full_before_a_first_build(tmp_path: Path) -> None:
    with small_disk(tmp_path / "cache") as disk, ending(Site(tmp_path)) as site:
        filler = fill(disk)

        built = site.build()

        assert built.code == 36, built.output
        assert "no space left while writing" in built.output
        assert str(disk) in built.output
        filler.unlink()
        site.heals(needed=JOBS, known=())


# -- permission ---------------------------------------------------------------------------------------

# Another user who may read whatever the interpreter needs, wherever it is installed, and write only what is his.
AS_NOBODY = [
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=-all,+dac_read_search",
    "--bounding-set=-all,+dac_read_search",
]


@pytest.fixture
def nobodys(tmp_path: Path) -> Iterator[Site]:
    """A site that is built, and owned, by user 65534."""
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not on this machine")
    with ending(Site(tmp_path)) as site:
        site.cache.mkdir()
        for path in (site.root, *site.root.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        assert site.build(under=AS_NOBODY).code == 0, site.said()
        assert (site.tree / "out" / "whole").stat().st_uid == NOBODY
        yield site


def rewrite(site: Site) -> frozenset[str]:
    needed = site.edit(0)
    os.chown(site.tree / "src" / "0.txt", NOBODY, NOBODY)
    return needed


def test_a_folder_of_outputs_that_may_not_be_written_is_named_with_its_permission(nobodys: Site) -> None:
    site, folder = nobodys, nobodys.tree / "out"
    needed, known = rewrite(site), site.results()
    before = tree_of(site)
    os.chown(folder, 0, 0)
    folder.chmod(0o755)

    built = site.build(under=AS_NOBODY)

    assert built.code == 36, built.output
    assert "permission denied while writing" in built.output
    assert str(folder) in built.output
    assert "mode 755, owner uid 0; this process is uid 65534" in built.output
    assert f"give this user permission to write to {folder}" in built.output
    assert tree_of(site) == before
    assert site.revision() == 1
    assert not site.rubbish()
    os.chown(folder, NOBODY, NOBODY)
    again = site.build(under=AS_NOBODY)
    assert again.code == 0, again.output
    assert site.stored(known) == needed
    assert again.began == ()
    site.is_right()


@pytest.mark.parametrize("what", ["tree", "cache/store"])
def test_a_tree_or_store_that_may_not_be_written_is_named_with_its_permission(nobodys: Site, what: str) -> None:
    site, folder = nobodys, nobodys.root / what
    rewrite(site)
    before = tree_of(site)
    owned = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    if what == "tree":
        shutil.rmtree(folder / ".windrow")
        owned = [folder]
    for path in owned:
        os.chown(path, 0, 0)

    built = site.build(under=AS_NOBODY)

    assert built.code == 36, built.output
    assert "permission denied while writing" in built.output
    assert str(folder) in built.output
    assert "owner uid 0; this process is uid 65534" in built.output
    assert tree_of(site) == before
    assert site.revision() == 1
    for path in owned:
        os.chown(path, NOBODY, NOBODY)
    again = site.build(under=AS_NOBODY)
    assert again.code == 0, again.output
    site.is_right()
