"""The texts that are compiled from context rules. Equal sources give equal bytes: no output holds a date."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from shared import hashing
from shared.context_rules import tokens
from shared.context_rules.config import Config, Selection
from shared.context_rules.rule import ContextRule, Summary, first_paragraph
from shared.context_rules.selection import R, fitting, ranked

_FOOTER = re.compile(r"\n<!-- checksum: (sha256:[0-9a-f]{64}) -->\n\Z")
_WINS = "Where two rules contradict each other, the one of higher priority, which stands first, holds"


class Chosen(msgspec.Struct, frozen=True):
    """The rules that CLAUDE.md may take in, best first, and every directory that holds rules."""

    rules: tuple[ContextRule, ...]
    directories: tuple[str, ...]


class Told(msgspec.Struct, frozen=True):
    """The summaries that AGENTS.md may take in, best first, and the names of all rules by directory."""

    summaries: tuple[Summary, ...]
    index: dict[str, tuple[str, ...]]


def mdc_name(path: str) -> str:
    """The file name that a rule, by its path, is compiled to: `backend/auth.md` becomes `backend-auth.mdc`."""
    return path.removesuffix(".md").replace("/", "-") + ".mdc"


def mdc(rule: ContextRule, related: Iterable[ContextRule], config: Config, source: str) -> str:
    """The .mdc file of a rule; related: the rules it leads to. source: its path in the project."""
    head = [
        "---",
        f"description: {_quoted(rule.description)}",
        f"globs: {_quoted(list(rule.globs))}",
        f"alwaysApply: {_quoted(rule.always_apply)}",
        "---",
    ]
    parts = ["\n".join(head), _notice(source, config), rule.body]
    lines = [
        f"- `{other.id}` ({mdc_name(other.path)}, {hashing.bare(other.digest)[:12]}): {other.description}"
        for other in related
    ]
    if lines:
        parts.append("## Related rules\n\n" + "\n".join(lines))
    return sealed(parts)


def choose(rules: Iterable[ContextRule], config: Config) -> Chosen:
    """What of the rules matters to CLAUDE.md, whatever the rest of it says."""
    rules = list(rules)
    chosen = fitting(ranked(rules, config.claude), _room(config.claude), lambda rule: tokens.estimate(_section(rule)))
    # Without what these texts do not show: a change of it makes no new one.
    shown = tuple(
        msgspec.structs.replace(rule, digest="", references=(), domain="", globs=(), tags=(), warnings=(), tokens=0)
        for rule in chosen
    )
    return Chosen(shown, tuple(sorted({rule.directory for rule in rules})))


def claude(chosen: Chosen, project: str, architecture: str | None, config: Config, source: str) -> str:
    """CLAUDE.md: the project, the architecture in short, the rules that fit, and where the others are."""
    head = [_notice(source, config), project.strip()]
    if architecture is not None and (short := first_paragraph(architecture)):
        head.append(f"## Architecture\n\n{short}\n\nIn full: `{source}/architecture.md`.")
    index = [f"- `.cursor/rules/{name}-*.mdc`" if name else "- `.cursor/rules/*.mdc`" for name in chosen.directories]
    tail = ["## Where the rules are\n\n" + "\n".join(index)] if index else []

    def whole(rules: Sequence[ContextRule]) -> str:
        middle = [_heading(config), *map(_section, rules)] if rules else []
        return sealed([*head, *middle, *tail])

    return _filled(chosen.rules, config.claude, whole)


def tell(summaries: Iterable[Summary], config: Config) -> Told:
    """What of the rules matters to AGENTS.md, whatever the rest of it says."""
    summaries = list(summaries)
    chosen = fitting(ranked(summaries, config.agents), _room(config.agents), lambda one: tokens.estimate(_short(one)))
    index: dict[str, tuple[str, ...]] = {}
    for one in sorted(summaries, key=lambda one: one.path):
        index[one.directory] = (*index.get(one.directory, ()), one.id)
    return Told(tuple(chosen), index)


def agents(told: Told, project: str, architecture: str | None, config: Config, source: str) -> str:
    """AGENTS.md: the project, the architecture in full, each rule in short, and an index."""
    head = [_notice(source, config), project.strip()]
    if architecture is not None:
        head.append(architecture.strip())
    index = [f"- {name or 'general'}: {', '.join(f'`{id_}`' for id_ in ids)}" for name, ids in told.index.items()]
    tail = ["## Index of rules\n\n" + "\n".join(index)] if index else []

    def whole(summaries: Sequence[Summary]) -> str:
        middle = [_heading(config), *map(_short, summaries)] if summaries else []
        return sealed([*head, *middle, *tail])

    return _filled(told.summaries, config.agents, whole)


def sealed(parts: Iterable[str]) -> str:
    """Parts of a markdown text, set apart by empty lines, with the checksum of all of it as the last line."""
    text = "\n\n".join(part for part in parts if part).replace("\r\n", "\n") + "\n"
    return f"{text}\n<!-- checksum: {hashing.of_bytes(text.encode())} -->\n"


def verified(text: str) -> bool:
    """Whether a text is as it was sealed."""
    text = text.replace("\r\n", "\n")
    found = _FOOTER.search(text)
    return found is not None and found[1] == hashing.of_bytes(text[: found.start()].encode())


def _filled(rules: Sequence[R], selection: Selection, whole: Callable[[Sequence[R]], str]) -> str:
    """The text with as many of the rules, best first, as its budget has room for."""
    room = _room(selection)
    if room is None:
        return whole(rules)
    # As good as sorted: more rules never make a shorter text.
    low, high = 0, len(rules)
    while low < high:
        middle = (low + high + 1) // 2
        if tokens.estimate(whole(rules[:middle])) <= room:
            low = middle
        else:
            high = middle - 1
    return whole(rules[:low])


def _room(selection: Selection) -> int | None:
    if selection.strategy == "all" or not selection.max_tokens:
        return None
    return tokens.usable(selection.max_tokens)


def _notice(source: str, config: Config) -> str:
    return f"<!-- Compiled from {source} (configuration {_plain(config.version)}). Edit that, not this. -->"


def _plain(text: str) -> str:
    return text.replace("--", "- -").replace("\n", " ")


def _heading(config: Config) -> str:
    if config.conflicts == "merge":
        return "## Rules"
    last = "; of two of equal priority, heed both." if config.fallback == "merge" else "."
    return f"## Rules\n\n{_WINS}{last}"


def _section(rule: ContextRule) -> str:
    return f"### {rule.description} (`{rule.id}`)\n\n{rule.body}"


def _short(summary: Summary) -> str:
    text = f"- **{summary.description}** (`{summary.id}`)"
    return f"{text}: {summary.text}" if summary.text else text


def _quoted(value: object) -> str:
    # JSON is YAML too, and needs no rules for what must be quoted.
    return json.dumps(value, ensure_ascii=False)
