"""What the tests of context rules look at: the exported manifest, and rules that read what they compile to."""

from __future__ import annotations

import json

from tests.scenarios.context_project import MANIFEST, ContextProject


def manifest_of(project: ContextProject) -> dict:
    return json.loads(project.read(MANIFEST))


READERS = """
[[rule]]
name = "bundle"
inputs = ["CLAUDE.md", "rule:context-rules.mdc:.cursor/rules/backend-*"]
command = "cat {in} > {out}"
outputs = ["build/bundle.txt"]

[[rule]]
name = "count"
each = "rule:context-rules.mdc"
command = "wc -c < {in} > {out}"
outputs = ["build/{stem}.count"]
"""
