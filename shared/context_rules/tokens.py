"""How many tokens a text is likely to be for a language model, by its length and its kind."""

from __future__ import annotations

import functools
import math
import re
from typing import Literal

Kind = Literal["prose", "code", "mixed", "cjk"]

_CHARACTERS: dict[Kind, float] = {"prose": 3.5, "code": 2.5, "mixed": 3.0, "cjk": 1.5}
_MARGIN = 0.05
_MOSTLY, _HARDLY = 0.7, 0.1  # shares of a text that are code
_CJK_SHARE = 0.3
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)


def estimate(text: str) -> int:
    """The tokens of a text, rounded up."""
    return math.ceil(len(text) / _CHARACTERS[kind_of(text)])


def usable(most: int) -> int:
    """What of a budget of tokens may be filled: an estimate may be wrong by a twentieth."""
    return math.floor(most * (1 - _MARGIN))


def kind_of(text: str) -> Kind:
    """What a text is for the most part; code is what stands between fences."""
    if not text:
        return "prose"
    if not text.isascii() and len(_cjk().findall(text)) > _CJK_SHARE * len(text):
        return "cjk"
    share = _fenced(text) / len(text)
    return "code" if share >= _MOSTLY else "prose" if share <= _HARDLY else "mixed"


@functools.cache
def _cjk() -> re.Pattern[str]:
    """Kana, CJK ideographs with their first extension, Hangul, and the full-width forms; slow to compile."""
    return re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uff00-\uffef]")


def _fenced(text: str) -> int:
    """How many characters lie in fenced blocks, the fences included."""
    count, opened, start = 0, "", 0
    for found in _FENCE.finditer(text):
        mark = found[1]
        if not opened:
            opened, start = mark, found.start()
        elif mark[0] == opened[0] and len(mark) >= len(opened):
            opened, count = "", count + found.end() - start
    return count + (len(text) - start if opened else 0)
