"""Lines and columns of keys, held against texts that are made from known places."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from shared.toml_places import Places

KEY = st.text("abcdefgh_-0", min_size=1, max_size=5)
SCALAR = st.sampled_from(
    [
        '"x"',
        "'y # no'",
        "3",
        "1.5",
        "true",
        "1979-05-27 07:32:00Z",
        '"""a\n[[rule]]\n"q" """',
        "'''z\n= 3'''",
        '"a \\" ] }"',
        '""""q""""',
        "0x1F",
    ]
)
VALUE = st.recursive(
    SCALAR,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[\n  " + ", # c ]\n  ".join(items) + "]")
        | st.dictionaries(KEY, SCALAR.filter(lambda v: "\n" not in v), max_size=3).map(
            lambda d: "{" + ", ".join(f"{k} = {v}" for k, v in d.items()) + "}"
        )
    ),
    max_leaves=4,
)


@given(
    st.lists(st.tuples(KEY, st.dictionaries(KEY, VALUE, max_size=3)), max_size=4),
    st.sampled_from(["", "# top [x]\n", "\n\n"]),
)
def test_every_key_is_found_where_it_was_written(tables, head):
    text, expected, counts = head, {}, {}
    for name, pairs in tables:
        number = counts[name] = counts.get(name, -1) + 1
        expected[name, number] = text.count("\n") + 1
        text += f"[[ {name} ]] # c\n"
        for key, value in pairs.items():
            expected[name, number, key] = text.count("\n") + 1
            text += f"  {key} = {value} # [c]\n"
    tomllib.loads(text)

    places = Places(text)

    for path, line in expected.items():
        assert places.find(path) == (line, 3 if len(path) == 3 else 1)


def test_dotted_and_quoted_keys_and_nested_tables():
    places = Places('a.b = 1\n[x."y.z"]\n"k k" = [1,\n 2]\n[[x.t]]\nq = {r = 1, s = [ { u = 2 } ]}\n[x.t.v]\nw = 1\n')

    assert places.find(("a", "b")) == (1, 1)
    assert places.find(("x", "y.z", "k k")) == (3, 1)
    assert places.find(("x", "y.z", "k k", 1)) == (4, 2)
    assert places.find(("x", "t", 0, "q", "s", 0, "u")) == (6, 21)
    assert places.find(("x", "t", 0, "v", "w")) == (8, 1)
    assert places.find(("x", "t", 0, "nothing")) == (5, 1)
