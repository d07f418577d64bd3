"""The call that reads one context rule; by itself, as no other needs a parser for markdown."""

from __future__ import annotations

from pathlib import Path

from shared import canonical
from shared.context_rules import references, yaml_text
from shared.context_rules import rule as rules
from shared.context_rules.places import Places
from workers.calls.context_rules import placed, write

# Here, so that it is there in every fork.
yaml_text.read("")


def warm() -> None:
    """Load what rules with references need: other rules do without, and it takes as long as all else."""
    references.find("[]")


def parse(home: str, path: str) -> None:
    """One rule file to the rule and its summary; refused with file and line."""
    places = Places(home)
    source = places.source(path)
    with placed(source):
        rule = rules.parse(path, Path(source).read_bytes())
    for warning in rule.warnings:
        print(f"warning: {source}: {warning}")
    write(places.parsed(path), canonical.encode(rule))
    write(places.summary(path), canonical.encode(rules.summary_of(rule)))
