"""The calls of the kind context-rules: rule files in, .mdc files, CLAUDE.md and AGENTS.md out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from shared import canonical
from shared.calls import Refused
from shared.context_rules import config as configs
from shared.context_rules import lint as linting
from shared.context_rules import references, render
from shared.context_rules import rule as rules
from shared.context_rules.config import Config
from shared.context_rules.places import Places
from shared.context_rules.rule import ContextRule, Summary
from shared.context_rules.yaml_text import Faulty

T = TypeVar("T")

# Here, so that the parser is there in every fork.
references.find("[]")


def parse(home: str, path: str) -> None:
    """One rule file to the rule and its summary; refused with file and line."""
    places = Places(home)
    source = places.source(path)
    with _placed(source):
        rule = rules.parse(path, Path(source).read_bytes())
    for warning in rule.warnings:
        print(f"warning: {source}: {warning}")
    _write(places.parsed(path), canonical.encode(rule))
    _write(places.summary(path), canonical.encode(rules.summary_of(rule)))


def mdc(home: str, path: str) -> None:
    """A rule and those it leads to, to its .mdc file."""
    places = Places(home)
    related = [other for other in _all(places, places.parsed, ContextRule) if other.path != path]
    own = _read(places.parsed(path), ContextRule)
    _write(places.mdc(path), render.mdc(own, related, _config(places), places.source(path)).encode())


def lint(home: str, facts: str) -> None:
    """All rules, looked at together; refused with everything that is wrong."""
    places = Places(home)
    known = msgspec.json.decode(facts, type=linting.Facts)
    found = linting.check(_all(places, places.parsed, ContextRule), places.rules, known)
    for warning in found.warnings:
        print(f"warning: {warning}")
    if found.errors:
        raise Refused("\n".join(found.errors))
    _write(places.checked, b"{}\n")


def choose(home: str) -> None:
    """All rules, to those that CLAUDE.md may take in."""
    places = Places(home)
    chosen = render.choose(_all(places, places.parsed, ContextRule), _config(places))
    _write(places.chosen, canonical.encode(chosen))


def tell(home: str) -> None:
    """All summaries, to those that AGENTS.md may take in."""
    places = Places(home)
    _write(places.told, canonical.encode(render.tell(_all(places, places.summary, Summary), _config(places))))


def claude(home: str) -> None:
    """CLAUDE.md from the chosen rules."""
    places, config = Places(home), _config(Places(home))
    chosen = _read(places.chosen, render.Chosen)
    text = render.claude(chosen, _text(places.project), _architecture(places), config, home)
    _finish(places.claude, text, config.claude.max_tokens)


def agents(home: str) -> None:
    """AGENTS.md from the chosen summaries."""
    places, config = Places(home), _config(Places(home))
    told = _read(places.told, render.Told)
    text = render.agents(told, _text(places.project), _architecture(places), config, home)
    _finish(places.agents, text, config.agents.max_tokens)


def _finish(path: str, text: str, most: int) -> None:
    if warning := linting.over(path, text, most):
        print(f"warning: {warning}")
    _write(path, text.encode())


def _all(places: Places, name: Callable[[str], str], kind: type[T]) -> list[T]:
    """What this job was given of one kind, by path."""
    ending = name("").rpartition("/")[2]
    found = sorted(Path(places.made).rglob(f"*{ending}"))
    return [_read(str(path), kind) for path in found]


def _read(path: str, kind: type[T]) -> T:
    return msgspec.json.decode(Path(path).read_bytes(), type=kind)


def _config(places: Places) -> Config:
    if not Path(places.config).exists():
        return Config()
    with _placed(places.config):
        return configs.parse(Path(places.config).read_bytes())[0]


def _architecture(places: Places) -> str | None:
    return _text(places.architecture) if Path(places.architecture).exists() else None


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"{path}: it is not UTF-8") from error


@contextmanager
def _placed(path: str) -> Iterator[None]:
    try:
        yield
    except Faulty as faulty:
        raise Refused(f"{path}:{faulty.line}: {faulty.why}") from faulty


def _write(path: str, data: Any) -> None:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
