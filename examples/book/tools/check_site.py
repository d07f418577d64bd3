"""Checks a built site: every lesson has its page, and the indexes name all of them: `check_site.py CONTENT SITE`."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def check(content: Path, site: Path) -> list[str]:
    """What is wrong, in words."""
    wrong: list[str] = []
    lessons = sorted(path.relative_to(content) for path in content.rglob("*.md"))
    for lesson in lessons:
        page = site / "content" / lesson.with_suffix(".html")
        if not page.is_file():
            wrong.append(f"{lesson} has no page")
        elif f'"{page.name}"' not in (page.parent / "index.html").read_text(encoding="utf-8"):
            wrong.append(f"the index of its chapter does not name {lesson}")
    counted = sum(map(int, re.findall(r"\((\d+) pages\)", (site / "index.html").read_text(encoding="utf-8"))))
    if counted != len(lessons):
        wrong.append(f"the index of the book counts {counted} pages, and there are {len(lessons)} lessons")
    return wrong


if __name__ == "__main__":
    found = check(Path(sys.argv[1]), Path(sys.argv[2]))
    print("\n".join(found) or "the site is as it should be")
    sys.exit(bool(found))
