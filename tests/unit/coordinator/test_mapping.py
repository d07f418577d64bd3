"""Where files of a source folder go: the mapper of seed 000, its 33 cases and the 6 of its security tests (W1-01)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.ingest.mapping import ASSETS, Mapper, content_type, is_content, validate
from shared.errors import ConfigError, PathsCollide
from shared.model.path import is_normal

P, C = "Part-01-Introducing", "Chapter-02-Agents"

# W1-01: source, type, where it goes (None: nowhere), the error (if it is one), its code
CASES = [
    # content types and patterns
    (f"{P}/{C}/03-first.md", "markdown", "content/01-Part/02-Chapter/03-first.md", "", ""),
    (f"{P}/{C}/03-first.summary.md", "summary", "content/01-Part/02-Chapter/03-first.summary.md", "", ""),
    ("Part-12/Chapter-34/56-name.md", "markdown", "content/12-Part/34-Chapter/56-name.md", "", ""),
    ("Part-1-A/Chapter-2-B/03-x.md", "markdown", "content/01-Part/02-Chapter/03-x.md", "", ""),
    ("Part-1/Chapter-2/3-x.md", "markdown", "content/01-Part/02-Chapter/03-x.md", "", ""),
    ("Part-001/Chapter-100/07-x.md", "markdown", "content/01-Part/100-Chapter/07-x.md", "", ""),
    ("Part-01\\Chapter-02\\03-x.md", "markdown", "content/01-Part/02-Chapter/03-x.md", "", ""),
    (f"{P}/{C}/03-a-b-2c.md", "markdown", "content/01-Part/02-Chapter/03-a-b-2c.md", "", ""),
    # READMEs go nowhere, and nothing is wrong with them
    ("README.md", "readme", None, "", ""),
    (f"{P}/readme.MD", "readme", None, "", ""),
    (f"{P}/{C}/ReadMe.md", "readme", None, "", ""),
    # assets
    (f"{P}/{C}/img/a.png", "asset", "static/img/a.png", "", ""),
    (f"{P}/{C}/images/deep/a.png", "asset", "static/img/deep/a.png", "", ""),
    (f"{P}/{C}/image/a.JPEG", "asset", "static/img/a.JPEG", "", ""),
    (f"{P}/{C}/slides/deck.pdf", "asset", "static/slides/deck.pdf", "", ""),
    (f"{P}/videos/intro.mp4", "asset", "static/videos/intro.mp4", "", ""),
    ("audio/x/talk.mp3", "asset", "static/audio/x/talk.mp3", "", ""),
    (f"{P}/{C}/loose.svg", "asset", "static/img/loose.svg", "", ""),
    ("logo.webp", "asset", "static/img/logo.webp", "", ""),
    # what the profile has no place for
    ("01-x.md", "markdown", None, "Path too short", "INVALID_NAME"),
    (f"{P}/01-x.md", "markdown", None, "Path too short", "INVALID_NAME"),
    ("Section-01/Chapter-01/01-x.md", "markdown", None, "Invalid Part format", "INVALID_NAME"),
    ("Part-X/Chapter-01/01-x.md", "markdown", None, "Invalid Part format", "INVALID_NAME"),
    ("Part01/Chapter-01/01-x.md", "markdown", None, "Invalid Part format", "INVALID_NAME"),
    (f"{P}/Ch-01/01-x.md", "markdown", None, "Invalid Chapter format", "INVALID_NAME"),
    (f"{P}/Chapter-/01-x.md", "markdown", None, "Invalid Chapter format", "INVALID_NAME"),
    (f"{P}/{C}/intro.md", "markdown", None, "Invalid filename format", "INVALID_NAME"),
    (f"{P}/{C}/01-Upper_Case.md", "markdown", None, "Invalid filename format", "INVALID_NAME"),
    (f"{P}/{C}/01.md", "markdown", None, "Invalid filename format", "INVALID_NAME"),
    (f"{P}/{C}/deeper/01-x.md", "markdown", None, "Invalid filename format", "INVALID_NAME"),
    (f"{P}/{C}/notes.txt", "unknown", None, "Unknown file type", "INVALID_NAME"),
    (f"{P}/{C}/Makefile", "unknown", None, "Unknown file type", "INVALID_NAME"),
    (f"{P}/{C}/code.py", "unknown", None, "Unknown file type", "INVALID_NAME"),
    # refused, never mended
    (f"{P}/{C}/01-a/../../b.md", "markdown", None, "'..'", "INVALID_PATH"),
    (f"../{C}/01-x.md", "markdown", None, "'..'", "INVALID_PATH"),
    (f"{P}/{C}/img/../../../../etc/a.png", "asset", None, "'..'", "INVALID_PATH"),
    (f"{P}/{C}/01-x\0.md", "markdown", None, "control character", "INVALID_PATH"),
    (f"{P}//{C}/01-x.md", "markdown", None, "empty", "INVALID_PATH"),
    (f"{P}\\..\\..\\{C}/01-x.md", "markdown", None, "'..'", "INVALID_PATH"),
    ("/etc/01-x.md", "markdown", None, "absolute", "INVALID_PATH"),
    ("~/Chapter-01/01-x.md", "markdown", None, "absolute", "INVALID_PATH"),
]


@pytest.mark.parametrize(("source", "kind", "path", "error", "code"), CASES, ids=[repr(case[0]) for case in CASES])
def test_w1_01_a_path_of_the_source_goes_where_the_profile_says(source, kind, path, error, code):
    mapped = Mapper().map(source)

    assert (mapped.source, mapped.content_type, mapped.path, mapped.code) == (source, kind, path, code)
    assert error in mapped.error
    assert mapped.valid == (not error)
    if path is not None:
        assert validate(path) == ""


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("content/01-Part/02-Chapter/03-x.md", ""),
        ("content/01-Part/02-Chapter/03-x.summary.md", ""),
        ("static/img/a.png", ""),
        ("static/slides/x/deck.pdf", ""),
        ("content/1-Part/02-Chapter/03-x.md", "Invalid content path"),
        ("content/01-Part/02-Chapter/03-X.md", "Invalid content path"),
        ("static/fonts/a.png", "Invalid asset type 'fonts'"),
        ("static/img", "Invalid asset type"),
        ("drafts/a.md", "Unknown path type"),
        ("content/../etc/passwd", "'..'"),
    ],
)
def test_w1_01_paths_of_the_store_are_checked(path, wrong):
    assert wrong in validate(path)
    assert bool(validate(path)) == bool(wrong)


def test_every_kind_of_asset_is_one_in_either_case():
    for suffix in ASSETS:
        assert content_type(f"a/b{suffix}") == content_type(f"a/b{suffix.upper()}") == "asset"
        assert is_content(f"b{suffix}")
    assert not is_content("b.txt")


def test_preserve_keeps_every_name_and_folder():
    mapper = Mapper("preserve")

    assert mapper.map("01-Intro/02-Ch/03-X_y.md").path == "content/01-Intro/02-Ch/03-X_y.md"
    assert mapper.map("01-Intro/02-Ch/img/a.png").path == "static/01-Intro/02-Ch/img/a.png"
    assert mapper.map("x.md").path == "content/x.md"
    assert mapper.map("x/README.md").path is None
    assert mapper.map("a/../b.md").code == "INVALID_PATH"


def test_w1_16_two_files_of_one_path_are_refused_naming_both():
    one, two = f"{P}/Chapter-01/img/diagram.png", f"{P}/Chapter-02/img/diagram.png"

    with pytest.raises(PathsCollide) as caught:
        Mapper().map_all([one, two])

    assert one in caught.value.why and two in caught.value.why
    assert "static/img/diagram.png" in caught.value.what
    assert len({mapped.path for mapped in Mapper("preserve").map_all([one, two])}) == 2


def test_w1_16_a_pattern_gives_both_a_place_of_their_own():
    mapper = Mapper(patterns={r"Part-(\d+)[^/]*/Chapter-(\d+)[^/]*/img/(.+)": r"static/img/\1-\2/\3"})

    mapped = mapper.map_all([f"{P}/Chapter-01/img/diagram.png", f"{P}/Chapter-02/img/diagram.png"])

    assert [one.path for one in mapped] == ["static/img/01-01/diagram.png", "static/img/01-02/diagram.png"]


def test_numbers_that_mean_the_same_collide():
    with pytest.raises(PathsCollide):
        Mapper().map_all(["Part-1/Chapter-1/01-x.md", "Part-01-Again/Chapter-01/01-x.md"])


def test_names_that_differ_in_case_only_collide_as_they_do_on_some_file_systems():
    with pytest.raises(PathsCollide):
        Mapper("preserve").map_all(["a/x.md", "a/X.md"])


def test_a_file_cannot_lie_below_a_file():
    with pytest.raises(PathsCollide, match="is a file and a folder"):
        Mapper(patterns={"a.md": "content/x", "b.md": "content/x/y"}).map_all(["a.md", "b.md"])


def test_patterns_come_first_match_whole_paths_and_may_leave_out():
    mapper = Mapper(patterns={r"drafts/.*": "", r"(?P<name>.*)\.rst": r"content/\g<name>.md", "x.md": "content/1.md"})

    assert (mapper.map("drafts/a.md").path, mapper.map("drafts/a.md").error) == (None, "")
    assert mapper.map("a/b.rst").path == "content/a/b.md"
    assert mapper.map("not-x.md").path is None


def test_a_pattern_cannot_send_a_file_out_of_the_tree():
    mapper = Mapper(patterns={r"(.*)\.evil": r"../\1", r"(.*)\.git": r".git/\1", r"(.*)\.abs": r"/etc/\1"})

    assert {mapper.map(name).code for name in ("a.evil", "a.git", "a.abs")} == {"INVALID_PATH"}


def test_a_pattern_that_is_none_is_a_mistake_of_the_settings():
    for pattern, path in (("(", "x"), ("a", r"\1"), ("a", r"\g<no>")):
        with pytest.raises(ConfigError, match="cannot use the pattern"):
            Mapper(patterns={pattern: path})


@given(
    st.lists(
        st.sampled_from(["..", ".", "", "a", "Part-01", "Chapter-01", "01-x.md", "img", "x.png", "\\", "\0", "~"]),
        max_size=6,
    )
)
def test_nothing_is_ever_sent_out_of_the_tree(parts):
    for profile in ("part-chapter", "preserve"):
        path = Mapper(profile).map("/".join(parts)).path
        assert path is None or (is_normal(path) and path.startswith(("content/", "static/")))
