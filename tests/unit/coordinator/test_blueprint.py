"""Reading and expanding blueprints: what makes a graph, and the error, with its line, for what makes none."""

from __future__ import annotations

import json
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.importers.blueprint import names
from coordinator.importers.blueprint.document import Document
from coordinator.importers.blueprint.expansion import Expanded, expand
from coordinator.importers.blueprint.reading import read_blueprint, read_values
from shared.errors import GraphError
from shared.model.file import FileState
from shared.model.graph import BuildGraph, Recipe
from shared.model.path import is_normal

SMALL = """\
blueprint: small
inputs:
  Text: {}
  Count: {default: 2, optional: true}
loops:
  part: {count: Count}
producers:
  Split:
    call: mock.text
    reads: [Text]
    makes:
      Piece[part]: text/plain
  Say:
    call: mock.text
    each: [part]
    reads:
      - Piece[part]
    makes:
      Voice[part]: audio/mpeg
    rate: voice
    cost: 0.5
  Join:
    call: mock.text
    reads:
      - Voice[*]
    makes:
      Whole: video/mp4
rates: {voice: 2}
"""


def expanded(text: str = SMALL, values: str = "Text: hello", sources: dict[str, FileState] | None = None) -> Expanded:
    blueprint = read_blueprint(dedent(text), "b.yaml")
    given = read_values(values, "in.yaml", blueprint)
    return expand(blueprint, given, folder="out", sources=sources or {}, identity=lambda call, at: f"call {call} 1")


def by_id(found: Expanded) -> dict[str, Recipe]:
    return {recipe.id: recipe for recipe in found.recipes}


def refused(text: str, values: str = "Text: hello") -> GraphError:
    with pytest.raises(GraphError) as caught:
        BuildGraph(expanded(text, values).recipes)
    return caught.value


def changed(old: str, new: str) -> str:
    assert SMALL.count(old) == 1
    return SMALL.replace(old, new)


# -- what comes of it -----------------------------------------------------------------------------------


def test_a_producer_has_a_job_for_each_turn_of_its_loops() -> None:
    found = expanded()

    assert list(by_id(found)) == ["Producer:Split", "Producer:Say[part=0]", "Producer:Say[part=1]", "Producer:Join"]
    assert found.artefacts["out/Voice/part-1.mp3"] == ("Artifact:Voice[part=1]", "audio/mpeg")


def test_what_is_made_in_a_loop_that_a_producer_has_not_is_made_for_every_turn() -> None:
    split = by_id(expanded())["Producer:Split"]

    assert split.outputs == ("out/Piece/part-0.txt", "out/Piece/part-1.txt")
    assert json.loads(split.argv[1])["makes"] == {"Piece": ["out/Piece/part-0.txt", "out/Piece/part-1.txt"]}


def test_a_star_collects_every_turn_in_order() -> None:
    join = by_id(expanded(values="Text: a\nCount: 11"))["Producer:Join"]

    assert json.loads(join.argv[1])["reads"] == {"Voice": [f"out/Voice/part-{n}.mp3" for n in range(11)]}
    assert len(join.inputs) == 11


def test_nested_loops_are_collected_by_the_outer_one() -> None:
    text = changed("  part: {count: Count}", "  part: {count: Count}\n  take: {count: 2, in: part}")
    text = text.replace("      Voice[part]: audio/mpeg", "      Voice[part][take]: audio/mpeg")
    join = by_id(expanded(text.replace("- Voice[*]", "- Voice[*][*]")))["Producer:Join"]

    paths = [[f"out/Voice/part-{p}/take-{t}.mp3" for t in (0, 1)] for p in (0, 1)]
    assert json.loads(join.argv[1])["reads"] == {"Voice": paths}


def test_a_job_knows_only_the_values_it_reads() -> None:
    recipes = by_id(expanded())

    assert json.loads(recipes["Producer:Split"].argv[1])["values"] == {"Text": "hello"}
    assert recipes["Producer:Say[part=0]"] == by_id(expanded(values="Text: other"))["Producer:Say[part=0]"]


def test_rates_and_costs_are_no_part_of_what_a_job_is_given() -> None:
    say = by_id(expanded())["Producer:Say[part=0]"]
    other = by_id(expanded(SMALL.replace("cost: 0.5", "cost: 7").replace("    rate: voice\n", "")))[
        "Producer:Say[part=0]"
    ]

    assert (say.pool, say.cost, other.pool, other.cost) == ("voice", 0.5, "", 7.0)
    assert (say.argv, say.tools) == (other.argv, other.tools)


def test_an_input_may_be_a_file_of_the_project() -> None:
    text = changed("Text: {}", "Text: {file: texts/a.txt}")

    split = by_id(expanded(text, "", {"texts/a.txt": FileState("sha256:" + "0" * 64, 3)}))["Producer:Split"]

    assert split.inputs == ("texts/a.txt",)
    assert json.loads(split.argv[1])["reads"] == {"Text": "texts/a.txt"}


def test_a_call_of_the_project_is_an_input_of_its_jobs() -> None:
    text = changed("  Join:\n    call: mock.text", "  Join:\n    call: tools/join.py:join")

    join = by_id(expanded(text, sources={"tools/join.py": FileState("sha256:" + "0" * 64, 3)}))["Producer:Join"]

    assert "tools/join.py" in join.inputs
    assert refused(text).what == "missing input tools/join.py"


def test_no_turns_make_no_jobs() -> None:
    assert list(by_id(expanded(values="Text: a\nCount: 0"))) == ["Producer:Join"]


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True),
            st.lists(st.tuples(st.sampled_from(["segment", "image", "a_b"]), st.integers(0, 20)), max_size=3),
        ),
        max_size=8,
    )
)
@settings(max_examples=60, deadline=None)
def test_no_two_ids_have_one_path(artefacts: list[tuple[str, list[tuple[str, int]]]]) -> None:
    pairs = {(names.artefact_id(name, turn), names.artefact_path("out", name, turn, "")) for name, turn in artefacts}

    assert len({id_ for id_, _ in pairs}) == len({path for _, path in pairs}) == len(pairs)
    assert all(is_normal(path) for _, path in pairs)


# -- values ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("16:9", "16:9"), ("yes", "yes"), ("2026-01-01", "2026-01-01"), ("'7'", "7"), ("007", 7), ("1e3", 1000.0),
        ("0x1f", "0x1f"), (".5", 0.5), ("true", True), ("~", None), ("[1, a]", [1, "a"]), ("{a: 1}", {"a": 1}),
        ("|\n  two\n  lines", "two\nlines"), ('"\\u00e9"', "é"), ("1_000", "1_000"), ("=", "="), ("<<", "<<"),
    ],
)  # fmt: skip
def test_scalars_are_what_json_has(text: str, value: object) -> None:
    read = Document(f"v: {text}", "f").data["v"]

    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("a: 1\na: 2", "f:2:1"),
        ("a: &x 1\nb: *x", "f:2:4"),
        ("a: 1\nb: [", "f:"),
        ("a: !!python/object:os.system x", "f:1:4"),
        ("a: !tag x", "f:1:4"),
        ("[" * 10_000, "f:1:51"),
        ("a:\n  ? [1]\n  : 2", "f:2:5"),
        ("a: 1e999", "f:1:4"),
        ("a: " + "9" * 400, "f:1:4"),
        ("a: 1\n---\nb: 2", "f:2:1"),
        ("a: \x00", "f"),
        ("\ta: 1", "f:1"),
    ],
)
def test_what_has_no_plain_value_is_an_error_with_its_place(text: str, at: str) -> None:
    with pytest.raises(GraphError) as caught:
        Document(text, "f")

    assert caught.value.at.startswith(at)


# -- errors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "at", "what"),
    [
        ("Count: {default: 2, optional: true}", "Count: {optional: true}", "b.yaml:4:3", "optional input 'Count' has no default"),
        ("part: {count: Count}", "part: {count: Cuont}", "b.yaml:6:10", "unknown input 'Cuont'"),
        ("      - Piece[part]", "      - Piece[prat]", "b.yaml:17:9", "unknown loop 'prat'"),
        ("each: [part]", "each: [prat]", "b.yaml:15:12", "unknown loop 'prat'"),
        ("Piece[part]: text/plain", "Piece[prat]: text/plain", "b.yaml:12:7", "unknown loop 'prat'"),
        ("- Voice[*]", "- Voice[part]", "b.yaml:25:9", "Voice[part] says which part, and the producer 'Join' has none"),
        ("- Voice[*]", "- Voice", "b.yaml:25:9", "Voice has 0 of the 1 loops of Voice[part]"),
        ("- Voice[*]", "- Voise[*]", "b.yaml:25:9", "nothing is called Voise"),
        ("- Voice[*]", "- Voice[1]", "b.yaml:25:9", "`reads` must be a name such as Style, Image[segment] or Image[*]"),
        ("- Voice[*]", "- 7", "b.yaml:25:9", "`reads` must be a name such as"),
        ("reads: [Text]", "reads: ['Text[*]']", "b.yaml:10:13", "input 'Text' has no loops"),
        ("Whole: video/mp4", "Text: video/mp4", "b.yaml:27:7", "producer 'Join' makes Text, which is an input"),
        ("Whole: video/mp4", "Piece: text/plain", "b.yaml:27:7", "producer 'Join' makes Piece, and so does producer 'Split'"),
        ("Whole: video/mp4", "Whole: film", "b.yaml:27:7", "`Whole` must be a MIME type"),
        ("Voice[part]: audio/mpeg", "Voice: audio/mpeg", "b.yaml:19:7", "producer 'Say' would make Voice more than once"),
        ("rate: voice", "rate: vioce", "b.yaml:20:5", "unknown rate key 'vioce'"),
        ("{voice: 2}", "{voice: 0}", "b.yaml:28:9", "`voice` must be a whole number of jobs"),
        ("cost: 0.5", "cost: -1", "b.yaml:21:5", "`cost` must be a number, at least 0"),
        ("cost: 0.5", "coast: 1", "b.yaml:21:5", "unknown key 'coast' in producer 'Say'"),
        ("blueprint: small", "blueprint: a b", "b.yaml:1:1", "'a b' is no name for the blueprint"),
        ("  Text: {}", "  Te-xt: {}", "b.yaml:3:3", "'Te-xt' is no name for the input"),
        ("Text: {}", "Text: {file: ../x}", "b.yaml:3:10", "'../x' is no path of the project"),
        ("    call: mock.text\n    each", "    each", "b.yaml:13:3", "producer 'Say' has no call"),
    ],
)  # fmt: skip
def test_a_mistake_is_an_error_with_its_line(old: str, new: str, at: str, what: str) -> None:
    """W3-12."""
    error = refused(changed(old, new))

    assert error.at.startswith(at)
    assert error.what.startswith(what)


def test_a_loop_in_a_loop_needs_the_outer_one() -> None:
    error = refused(
        changed("  part: {count: Count}", "  part: {count: Count}\n  take: {count: 2, in: part}").replace(
            "each: [part]", "each: [take]"
        )
    )

    assert error.what == "loop 'take' is used without the one it lies in"
    assert error.fix == "each: [part, take]"


def test_loops_within_each_other_are_refused() -> None:
    error = refused(changed("  part: {count: Count}", "  a: {count: 1, in: b}\n  b: {count: 1, in: a}"))

    assert error.why == "a in b in a"


def test_a_cycle_of_producers_is_told_with_its_chain() -> None:
    """W3-12."""
    error = refused(changed("reads: [Text]", "reads: [Whole]"))

    assert error.what == "the rules form a cycle"
    assert [part in error.why for part in ("out/Whole.mp4", "out/Piece/", "out/Voice/")] == [True, True, True]


@pytest.mark.parametrize(
    ("values", "at", "what"),
    [
        ("", "in.yaml", "input 'Text' has no value"),
        ("Text: ~", "in.yaml:1:1", "input 'Text' has no value"),
        ("Text: a\nTxet: b", "in.yaml:2:1", "unknown input 'Txet'"),
        ("Text: a\nCount: many", "in.yaml:2:1", "input 'Count' is no number of turns: 'many'"),
        ("Text: a\nCount: -1", "in.yaml:2:1", "input 'Count' is no number of turns: -1"),
        ("Text: a\nCount: true", "in.yaml:2:1", "input 'Count' is no number of turns: True"),
        ("Text: a\nCount: 200000", "b.yaml:13:3", "the blueprint makes more than 100,000 jobs"),
        ("[]", "in.yaml:1:1", "in.yaml is no mapping of inputs to values"),
    ],
)  # fmt: skip
def test_a_value_that_makes_no_sense_is_an_error_with_its_line(values: str, at: str, what: str) -> None:
    error = refused(SMALL, values)

    assert (error.at, error.what) == (at, what)
