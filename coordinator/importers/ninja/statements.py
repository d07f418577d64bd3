"""The statements of a build.ninja, read into a Building. See docs/design/ninja-language.md."""

from __future__ import annotations

import msgspec

from coordinator.importers.ninja import lexer as words
from coordinator.importers.ninja import text as texts
from coordinator.importers.ninja.building import Building
from coordinator.importers.ninja.edges import RESERVED, Edge, Rule
from coordinator.importers.ninja.lexer import Lexer, token_name
from coordinator.importers.ninja.plain import PlainEdges
from coordinator.importers.ninja.spelling import canonical, packed

# Windrow's own, which ninja refuses in a rule.
_OURS = frozenset(("local",))
_MAY_BIND = RESERVED | _OURS


def parse(building: Building, text: str, name: str, scope: int) -> None:
    """Read one file, and those it names, into a scope."""
    building.files.append(name)
    building.open.append(name)
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    reader = _Statements(building, Lexer(text, name), scope)
    reader.plain.read()
    while reader.statement():
        reader.plain.read()
    building.open.pop()


class _Statements:
    """One file and the scope it is read into."""

    __slots__ = ("_building", "_lexer", "_scope", "plain")

    def __init__(self, building: Building, lexer: Lexer, scope: int) -> None:
        self._building = building
        self._lexer = lexer
        self._scope = scope
        self.plain = PlainEdges(building, lexer, scope)

    def statement(self) -> bool:
        """Read one; whether there may be more."""
        token = self._lexer.read()
        if token == words.NEWLINE:
            return True
        if token == words.END:
            return False
        if token == words.BUILD:
            self._edge(self._lexer.at())
            return True
        self.plain.forget()
        if token == words.RULE:
            self._rule(self._lexer.at())
        elif token == words.POOL:
            self._pool(self._lexer.at())
        elif token == words.DEFAULT:
            self._default()
        elif token in {words.INCLUDE, words.SUBNINJA}:
            self._include(token)
        elif token == words.IDENT:
            self._lexer.unread()
            at = self._lexer.at()
            name, value = self._let()
            self._building.assign(self._scope, name, self._expand(value), at)
        elif token == words.WRONG:
            raise self._lexer.wrong()
        else:
            raise self._lexer.error(f"unexpected {token_name(token)}")
        return True

    def _let(self) -> tuple[str, str]:
        name = self._lexer.ident("expected variable name")
        self._lexer.expect(words.EQUALS)
        return name, self._lexer.value()

    def _expand(self, text: str) -> str:
        return texts.expand(text, lambda name: self._building.variable(self._scope, name))

    def _rule(self, at: str) -> None:
        lexer = self._lexer
        name = lexer.ident("expected rule name")
        rules = self._building.rules[self._scope]
        known = name in rules
        lexer.expect(words.NEWLINE)
        if known:
            first = f"it is at {rules[name].at} already" if rules[name].at else "it is built in"
            raise lexer.error(f"duplicate rule '{name}'", why=first, fix="give one of them another name")
        bindings = {}
        while lexer.peek(words.INDENT):
            key, value = self._let()
            if key not in _MAY_BIND:
                raise lexer.error(
                    f"unexpected variable '{key}'",
                    why=f"a rule takes {', '.join(sorted(RESERVED))}",
                    fix="say it in the edges or in the file",
                )
            bindings[key] = value
        # As ninja has it: a rule that does not say them says that they are empty.
        rspfile, content = (bindings.setdefault(key, "") for key in ("rspfile", "rspfile_content"))
        if bool(rspfile) != bool(content):
            raise lexer.error("rspfile and rspfile_content need to be both specified", at=at)
        if not bindings.get("command"):
            raise lexer.error("expected 'command =' line", at=at, fix=f"say what rule '{name}' runs")
        rules[name] = Rule(name, bindings, at)

    def _pool(self, at: str) -> None:
        lexer = self._lexer
        name = lexer.ident("expected pool name")
        lexer.expect(words.NEWLINE)
        if name in self._building.pools:
            raise lexer.error(f"duplicate pool '{name}'", fix="give one of them another name")
        depth = None
        while lexer.peek(words.INDENT):
            key, value = self._let()
            if key != "depth":
                raise lexer.error(f"unexpected variable '{key}'", why="a pool has a depth and nothing else")
            depth = self._expand(value)
            if depth.lstrip(" ").startswith("-") and depth.strip(" -0"):
                raise lexer.error("invalid pool depth", why=f"{depth} is below 0", fix="write 1 or more; 0 is no limit")
        if depth is None:
            raise lexer.error("expected 'depth =' line", at=at, fix=f"say how many jobs pool '{name}' takes")
        self._building.add_pool(name, depth, at)

    def _default(self) -> None:
        lexer, building = self._lexer, self._building
        path = lexer.path()
        if not path:
            raise lexer.error("expected target name")
        while path:
            node = self._expand(path)
            if not node:
                raise lexer.error("empty path", why=f"{path} is nothing")
            node = canonical(node)
            if not building.knows(node):
                raise lexer.error(f"unknown target '{node}'", why="no edge above names it")
            building.defaults.append(node)
            path = lexer.path()
        lexer.expect(words.NEWLINE)

    def _include(self, how: str) -> None:
        lexer, building = self._lexer, self._building
        name = self._expand(lexer.path())
        if name in building.open:
            chain = " -> ".join([*building.open[building.open.index(name) :], name])
            raise lexer.error(f"{name} includes itself", why=chain, fix="take one of them out")
        try:
            text = building.load(name)
        except OSError as error:
            raise lexer.error(f"loading '{name}': {error.strerror}") from error
        parse(building, text, name, self._scope if how == words.INCLUDE else building.scope(self._scope))
        lexer.expect(words.NEWLINE)

    def _paths(self) -> list[str]:
        found = []
        while path := self._lexer.path():
            found.append(path)
        return found

    def _edge(self, at: str) -> None:
        lexer, building = self._lexer, self._building
        outputs = self._paths()
        implicit_outputs = self._paths() if lexer.peek(words.PIPE) else []
        if not outputs and not implicit_outputs:
            raise lexer.error("expected path", fix="name what the edge makes")
        lexer.expect(words.COLON)
        name = lexer.ident("expected build command name")
        rule = building.rule(self._scope, name)
        if rule is None:
            raise lexer.error(f"unknown build rule '{name}'", fix=f"write `rule {name}` above, or correct the name")
        inputs = self._paths()
        implicit = self._paths() if lexer.peek(words.PIPE) else []
        order_only = self._paths() if lexer.peek(words.TWO_PIPES) else []
        validations = self._paths() if lexer.peek(words.PIPE_AT) else []
        lexer.expect(words.NEWLINE)
        own: dict[str, str] = {}
        while lexer.peek(words.INDENT):
            key, value = self._let()
            own[key] = self._expand(value)

        def lookup(key: str) -> str:
            return own[key] if key in own else building.variable(self._scope, key)

        def nodes(paths: list[str]) -> str:
            found = [texts.expand(path, lookup) for path in paths]
            if "" in found:
                raise lexer.error("empty path", at=at, why=f"{paths[found.index('')]} is nothing")
            return packed(map(canonical, found))

        block = "".join(f"{key}={texts.escaped(value)}\n" for key, value in own.items())
        edge = Edge("", "", "", "", "", "", name, at, block, building.context(rule, self._scope), "", "")
        building.pool_of(edge)  # what is wrong with it is said before what is wrong with a path
        building.add(
            msgspec.structs.replace(
                edge,
                outs=nodes(outputs),
                implicit_outs=nodes(implicit_outputs),
                ins=nodes(inputs),
                implicit_ins=nodes(implicit),
                order_ins=nodes(order_only),
                validation_ins=nodes(validations),
            )
        )
