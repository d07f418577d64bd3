"""Left: what a command left in its sandbox, and what can be told of what it read."""

from __future__ import annotations

import os
import re
from functools import partial

import msgspec

from shared import hashing
from shared.depfile import located
from shared.errors import BlobCorrupt
from shared.keys import given_trace, key_after_run, rooted
from shared.model.action import Action, Input, Output, Trace
from workers.execute.trace import trace_of
from workers.execute.view import Seen
from workers.named import DEPFILE_LIMIT, named_by
from workers.printed import Printed
from workers.sandbox import loose, outputs
from workers.sandbox.broken import Broken
from workers.sandbox.marks import Marks
from workers.sandbox.sandbox import Sandbox
from workers.ticket import Ticket

_SOURCE_LIMIT = 64 << 20  # bytes
# Compressed debug information, and code for link-time optimisation, hold the path, but not so that it could be found.
_COMPRESSED = re.compile(r"(?<!\S)(?:-gz(?!=none)|-flto(?!-))")


class Left:
    """Made as soon as the command has ended, before anything else looks at its files.

    marks: if the files were laid out with any; observed: whether they tell what was read.
    """

    def __init__(self, ticket: Ticket, sandbox: Sandbox, seen: Seen, marks: Marks | None, *, observed: bool) -> None:
        self._ticket, self._sandbox, self._seen, self._marks = ticket, sandbox, seen, marks
        self._action, self._tree = ticket.order.action, sandbox.tree
        self._read = marks.read() if marks is not None and observed else None
        self._rewritten: frozenset[str] = frozenset()  # files of an earlier build that it made anew
        self.beyond = ""  # the state of what it read outside the tree, for its key
        self.lacked: tuple[str, ...] = ()  # files of the tree that it says it has read, and was not given
        self.marks = ""  # which of these are as they are elsewhere
        self.moved = False  # something of that changed while it ran: nobody can say which it read

    def outputs(self) -> tuple[Output, ...]:
        """Its outputs; Broken when it did not do what it declares."""
        if not self._action.loose:
            return self._declared()
        if self._marks is not None:
            changed = self._marks.changed()
            self._rewritten = frozenset(path for path in changed if loose.rewritable(path, self._action))
            loose.refuse_changed([path for path in changed if path not in self._rewritten])
        if self._seen.root != self._action.root:
            self._tell_own_root()
        others = [*self._sandbox.undeclared(loose.MOST + 1), *sorted(self._rewritten)]
        made = loose.collect(self._tree, self._action, others, self._seen.root)
        if self._seen.root != self._action.root:
            holder = loose.holder(self._tree, made, self._seen.root)
            if holder is not None:
                raise Broken(
                    f"its output {holder} holds the path of the folder it was made in; run it on a machine on which "
                    "the tree can appear at its own path"
                )
        return made

    def _tell_own_root(self) -> None:
        """Have a depfile that stays name the tree where it lies in truth; no flag of a compiler does that."""
        for path in self._action.kept_depfile:
            data = outputs.read(self._tree, path, DEPFILE_LIMIT)
            roots = self._seen.root, self._action.root.rstrip("/")
            seen, real = (os.fsencode(root.replace(" ", "\\ ")) for root in roots)
            if data is not None and seen in data:
                (self._tree / path).write_bytes(data.replace(seen, real))

    def _declared(self) -> tuple[Output, ...]:
        complaints: list[str] = []
        made: tuple[Output, ...] = ()
        try:
            made = outputs.collect(self._tree, self._action.outputs)
        except Broken as error:
            complaints.append(str(error))
        try:
            self._sandbox.refuse_undeclared()
        except Broken as error:
            complaints.append(str(error))
        if complaints:
            raise Broken("; ".join(complaints))
        return made

    def trace(self, said: Printed) -> Trace | None:
        """What it read, as far as it was noted down or noticed."""
        action, read = self._action, self._read
        named = named_by(action, self._tree, said)
        if named is None and action.depfile is not None and not action.loose:
            raise Broken(f"it did not write its depfile {action.depfile}")
        if named is None and read is None:
            return given_trace(action)
        noted = Trace(tree=action.tree)
        if named is not None:
            roots = tuple(dict.fromkeys((str(self._tree), self._seen.root, action.root or self._seen.root)))
            reads = located(named, roots, action.links, action.cwd, action.mounts)
            noted = trace_of(action, reads, self._ticket.workshop.prober, self._content)
            if action.loose:
                self.lacked = self._not_given(reads.inside)
            if noted.beyond:
                noted = msgspec.structs.replace(noted, beyond=self._beyond(noted.beyond))
        if read is None and not action.libraries:
            return noted
        used = {*noted.used, *(read.inputs if read else ())}.difference(
            action.primary, action.libraries, self._rewritten
        )
        return msgspec.structs.replace(noted, used=tuple(sorted(used)), listed=read.folders if read else noted.listed)

    def _not_given(self, named: frozenset[str]) -> tuple[str, ...]:
        """What it names of the tree that it did not have; it may have been told of a file and not looked into it."""
        inside = named.difference(item.path for item in self._action.inputs)
        return tuple(sorted(path for path in inside if not os.path.lexists(self._tree / path)))

    def _beyond(self, named: tuple[str, ...]) -> tuple[str, ...]:
        """The files among what it named outside the tree; those of its own folder go with it."""
        own = f"{self._sandbox.place}/"
        read = self._ticket.workshop.beyond.read(
            (path for path in named if not path.startswith(own)), self._sandbox.begun
        )
        self.beyond, self.moved = read.state, bool(read.paths) and not read.state
        self.marks = read.marks if self._ticket.workshop.elsewhere else ""
        return read.paths

    def key(self, made: tuple[Output, ...], trace: Trace | None) -> str:
        """Under which key its result is kept: that of its root as well, if it tells where that is."""
        action, key = self._action, key_after_run(self._action, trace, self.beyond)
        return rooted(key, action.root) if action.root and self._tells_root(action, made) else key

    def _tells_root(self, action: Action, made: tuple[Output, ...]) -> bool:
        compressed = any(_COMPRESSED.search(word) for word in action.argv)
        return compressed or loose.holder(self._tree, made, action.root) is not None

    def upload(self, made: tuple[Output, ...]) -> int:
        """Store the outputs; bytes moved afar."""
        blobs, moved = self._ticket.workshop.blobs, 0
        for output in made:
            if not self._ticket.order.again and blobs.believes(output.hash):
                # Made as it was before.
                continue
            store = partial(blobs.put_file, output.hash, self._tree / output.path)
            if output.mode == "link":
                # Nobody fetches it, but a revision names it, and what that names is there.
                store = partial(blobs.put, output.hash, os.fsencode(output.target))
            try:
                moved += self._ticket.patiently(store)
            except BlobCorrupt as error:
                raise Broken(f"its output {output.path} changed while it was stored") from error
        return moved

    def _content(self, item: Input) -> bytes:
        """The bytes of an input: those in the sandbox, unless the command changed its copy."""
        try:
            data = outputs.read(self._tree, item.path, _SOURCE_LIMIT)
        except Broken:
            data = None
        if data is not None and hashing.of_bytes(data) == item.hash:
            return data
        return self._ticket.patiently(lambda: self._ticket.workshop.blobs.get(item.hash))
