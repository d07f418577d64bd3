"""Two builds at once, of one tree and of two: one builds, the other is told, or waits and finds nothing to do."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.site import Site

pytestmark = [pytest.mark.fault, pytest.mark.timeout(120)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.end()


@pytest.fixture
def other(site: Site) -> Iterator[Site]:
    """Another tree of the same project, with the same sources."""
    made = Site(site.root, tree=site.root / "other")
    yield made
    made.end()


@pytest.mark.parametrize("same_tree", [True, False], ids=["one tree", "two trees"])
def test_the_second_is_told_who_builds_or_waits_and_finds_nothing_to_do(
    site: Site, other: Site, same_tree: bool
) -> None:
    second = site if same_tree else other
    with site.witness():
        site.hold("pair0")
        first = site.start()
        site.await_begun("pair0")

        refused = second.build()
        impatient = second.build("--wait", "0.3")
        waiting = second.start("--wait")
        site.let_go()
        built, waited = first.wait(), waiting.wait()

    assert refused.code == impatient.code == 9
    assert "Another build is in progress" in refused.output
    assert str(first.process.pid) in refused.output
    assert built.code == 0, built.output
    assert waited.code == 0, waited.output
    assert sorted(site.begun()) == sorted(set(site.begun())), "a job ran twice"
    assert site.revision() == 1
    if same_tree:
        assert "No changes detected" in waited.output
    site.is_right()
    second.is_right()


def test_builds_of_two_branches_do_not_meet(site: Site, other: Site) -> None:
    site.hold("pair0")
    first = site.start()
    site.await_begun("pair0")
    other.edit(7)

    second = other.start("--branch", "topic")
    site.await_begun("pair0", times=2)
    site.let_go()

    assert first.wait().code == second.wait().code == 0
    site.is_right()
    assert other.outputs() == other.expected()


def test_the_lock_of_a_killed_build_is_taken_over_at_once_by_another_tree(site: Site, other: Site) -> None:
    site.hold("pair0")
    first = site.start()
    site.await_begun("pair0")
    first.kill()
    site.let_go()

    built = other.build()

    assert built.code == 0, built.output
    other.is_right()
    site.right(began=0)


def test_a_build_whose_lock_was_broken_commits_nothing_though_nobody_else_did(site: Site) -> None:
    with site.witness():
        site.right()
        needed, known = site.edit(0), site.results()
        slow = site.start(WINDROW_FAILPOINT="commit.before-manifest=stop")
        slow.await_stopped()

        assert site.start("break", command="lock").wait().code == 0
        slow.signal(signal.SIGCONT)
        built = slow.wait()

        assert built.code == 32, built.output
        assert "error[W0902]" in built.output
        assert site.revision() == 1
        assert site.heals(needed=needed, known=known).began == ()


def test_a_broken_lock_is_noticed_by_the_build_that_held_it(site: Site, other: Site) -> None:
    with site.witness():
        site.right()
        site.edit(0)
        slow = site.start(WINDROW_FAILPOINT="commit.before-pointer=stop")
        slow.await_stopped()
        other.edit(0)

        assert other.build().code == 9
        assert site.start("break", command="lock").wait().code == 0
        assert other.build().code == 0, other.said()
        slow.signal(signal.SIGCONT)
        built = slow.wait()

    assert built.code in (11, 32), built.output
    other.is_right()
    site.right(began=0)
    assert site.manifest().revision == other.manifest().revision
