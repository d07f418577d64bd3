"""Files for other tools, written after a commit: what there is, which tests reach it, and what was built.

Format: docs/design/tests.md. They are written and never read.
"""

from __future__ import annotations

import json
import os
from typing import Any

from coordinator.project import Project
from coordinator.survey import Survey
from shared.atomic import write_atomic
from shared.clock import iso
from shared.errors import LocalError
from shared.hashing import bare


def emit(project: Project, seen: Survey) -> str:
    """Write file-baseline.json, test-map.json and build-plan.json; a warning if that could not be done."""
    folder = project.settings.root / project.settings.emit.folder
    now = iso(project.clock.now())
    tests = seen.graph.tests.tests if seen.graph and seen.graph.tests else {}
    by_file: dict[str, list[str]] = {}
    for test, mapped in sorted(tests.items()):
        for path in mapped.files:
            by_file.setdefault(path, []).append(test)
    recipes = seen.graph.recipes if seen.graph else {}
    contents: dict[str, dict[str, Any]] = {
        "file-baseline.json": {
            "files": {path: bare(state.hash) for path, state in sorted(seen.snapshot.sources.items())}
        },
        "test-map.json": {
            "files": by_file,
            "tests": {test: list(mapped.files) for test, mapped in sorted(tests.items())},
        },
        "build-plan.json": {
            "files_to_rebuild": sorted(path for job in seen.plan.jobs for path in recipes[job].outputs),
            "files_to_preserve": sorted(path for job in seen.plan.preserved for path in recipes[job].outputs),
            "estimated_time": round(_estimate(project, seen), 3),
        },
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            text = json.dumps({"created_at": now, **content}, indent=1, sort_keys=True) + "\n"
            write_atomic(folder / name, text.encode(), durable=False)
    except (OSError, LocalError) as error:
        return f"{project.settings.emit.folder}: the files for other tools could not be written: {error}"
    return ""


def _estimate(project: Project, seen: Survey) -> float:
    """Seconds that the plan takes here: all its work over the slots there are, and no less than its longest chain."""
    slots = project.settings.jobs or len(os.sched_getaffinity(0))
    return max(seen.plan.estimated_seconds, seen.plan.work_seconds / slots)
