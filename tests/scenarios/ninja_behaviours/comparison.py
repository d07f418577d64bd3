"""What the real ninja and Windrow are compared by."""

from __future__ import annotations

from tests.scenarios.ninja_pair import Pair, Ran

CAT = """\
rule cat
  command = echo $out >> @LOG@ && cat $in > $out
  description = CAT $out
"""
NOTHING = "ninja: no work to do.\n"


def same(pair: Pair, *words: str, code: int = 0, env: dict[str, str] | None = None) -> Ran:
    """A build by both, which ran the same and left the same."""
    theirs, ours = pair.both(*words, env=env)
    assert (ours.code, ours.ran) == (theirs.code, theirs.ran), f"{theirs}\n{ours}"
    assert ours.code == code, ours
    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)
    return ours


def quiet(pair: Pair, *words: str) -> None:
    """A build by both that has nothing to do."""
    theirs, ours = pair.both(*words)
    assert (theirs.out, theirs.ran) == (NOTHING, ()), theirs
    assert (ours.code, ours.out, ours.ran) == (0, NOTHING, ()), ours
