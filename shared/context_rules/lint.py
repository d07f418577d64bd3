"""What is wrong, or odd, in the context rules as a whole."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from shared.context_rules import tokens
from shared.context_rules.references import certain
from shared.context_rules.rule import ContextRule
from shared.context_rules.web import Lead, Web

MOST_TOKENS = 10_000  # of one rule


class Facts(msgspec.Struct, frozen=True):
    """What the rules do not say themselves, of the paths and globs they name.

    files: the paths that are there, outside the folder of rules too. outside: those that lie behind a symlink out of
    the project. ghosts: globs that match no file.
    """

    files: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    ghosts: tuple[str, ...] = ()


class Findings(msgspec.Struct, frozen=True):
    """errors: nothing may be compiled with these. warnings: for people. Both name file and line."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]


def check(rules: Iterable[ContextRule], home: str, facts: Facts) -> Findings:
    """Duplicate ids, references that lead nowhere or in a circle; odd globs and sizes."""
    web = Web(rules, home)
    errors: list[str] = []
    warnings: list[str] = []
    for path, rule in web.rules.items():
        at = f"{home}/{path}"
        first = web.ids[rule.id]
        if first != path:
            errors.append(f"{at}: the id '{rule.id}' is that of {home}/{first} too")
        wrong = ((lead, _wrong(lead, path, facts)) for lead in web.leads(path))
        errors += [f"{at}:{lead.reference.line}: {why}" for lead, why in wrong if why]
        warnings += [f"{at}: the glob {glob} matches no file" for glob in rule.globs if glob in facts.ghosts]
        if rule.tokens > MOST_TOKENS:
            warnings.append(f"{at}: about {rule.tokens:,} tokens, more than {MOST_TOKENS:,}")
    errors += [f"{home}/{chain[0]}: these rules refer to each other: {' → '.join(chain)}" for chain in web.cycles()]
    return Findings(tuple(errors), tuple(warnings))


def over(name: str, text: str, most: int) -> str:
    """A warning for an output that is larger than its budget, though nothing more could be left out of it."""
    count = tokens.estimate(text)
    return f"{name}: about {count:,} tokens, more than the {most:,} of config.yaml" if most and count > most else ""


def _wrong(lead: Lead, path: str, facts: Facts) -> str:
    reference = lead.reference
    named = f'@import "{reference.target}"' if reference.kind == "import" else f"the reference to {reference.target!r}"
    if lead.problem:
        return f"{named} cannot be followed: {lead.problem}"
    if lead.rule:
        return f"{named} leads to the rule itself" if lead.rule == path else ""
    if lead.file in facts.outside:
        return f"{named} cannot be followed: a symlink leads out of the project"
    if lead.file not in facts.files and certain(reference):
        return f"{named} is dead: there is no {lead.file}"
    return ""
