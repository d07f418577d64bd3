"""What commands print, and what a failed one leaves to try it by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.ninja_pair import Pair


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    made = Pair(tmp_path)
    made.write("sub/y", "1\n")
    return made


@pytest.mark.parametrize("more", ["", "; exit 1"])
def test_both_streams_are_one_in_the_order_they_were_written_in(pair: Pair, more: str) -> None:
    pair.write(
        "build.ninja",
        f"rule r\n  command = for i in 1 2 3; do echo o$$i; echo e$$i >&2; done; touch $out{more}\nbuild a: r\n",
    )

    ninja, windrow = pair.both()

    assert (windrow.code, windrow.out) == (ninja.code, ninja.out)


RESPONSE = """\
rule r
  command = cat $out.rsp; python3 -c "open('$out', 'w').write(open('sub/y').read())"{more}
  rspfile = $out.rsp
  rspfile_content = read $in
build a: r sub/y
"""


def test_the_response_file_of_a_failed_command_stays_until_it_succeeds(pair: Pair) -> None:
    pair.write("build.ninja", RESPONSE.format(more=" && false"))
    ninja, windrow = pair.both()
    assert (windrow.code, ninja.code) == (1, 1)
    assert (pair.windrow / "a.rsp").read_text() == (pair.ninja / "a.rsp").read_text() == "read sub/y"

    pair.write("build.ninja", RESPONSE.format(more=""))
    ninja, windrow = pair.both()

    assert (windrow.code, ninja.code) == (0, 0), windrow.said
    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)
    assert not (pair.windrow / "a.rsp").exists()


def test_one_that_was_left_by_another_tool_is_in_nobodys_way(pair: Pair) -> None:
    pair.write("build.ninja", RESPONSE.format(more=""))
    pair.write("a.rsp", "of another time\n")

    windrow = pair.by_windrow()

    assert windrow.code == 0, windrow.said
    assert "read sub/y" in windrow.out


def test_they_stay_where_that_is_asked_for(pair: Pair) -> None:
    pair.write("build.ninja", RESPONSE.format(more=""))

    ninja, windrow = pair.both("-d", "keeprsp")

    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)
    assert (pair.windrow / "a.rsp").read_text() == "read sub/y"
