"""Settings: who wins, what is refused, and the place each complaint names."""

from pathlib import Path

import pytest

from shared.errors import ConfigError, LocalError, NoProject
from shared.settings_load import load, settings_files

TOML = """\
# a comment
[project]
name = "hello"

[storage]
url = "s3://farm-bucket/prefix"

[toolchain]
tools = ["gcc", "ar"]

[scan]
ignore = ["*.tmp"]

[[rule]]
name = "cc"
each = "src/**/*.c"
inputs = ["include/**/*.h"]
command = ["gcc", "-c", "{in}", "-o", "{out}"]
outputs = ["build/{stem}.o"]
depfile = "build/{stem}.d"
env = { LANG = "C" }
timeout = 30

[[rule]]
name = "link"
inputs = ["rule:cc"]
command = "gcc {in} -o {out}"
outputs = ["build/hello"]
pass_env = ["CFLAGS"]
"""


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "windrow.toml").write_text(TOML)
    return folder


def loaded(root, *, flags=None, **environ):
    return load(root, flags=flags or {}, environ={"HOME": str(root.parent / "home"), **environ})


def refused(root, *, flags=None, **environ):
    with pytest.raises(ConfigError) as caught:
        loaded(root, flags=flags, **environ)
    assert caught.value.code == "W0102"
    assert caught.value.exit_code == 2
    return caught.value


def replaced(root, old, new):
    assert TOML.count(old) == 1
    (root / "windrow.toml").write_text(TOML.replace(old, new))
    return refused(root)


def test_everything_in_the_file_is_taken(root):
    settings = loaded(root)

    assert (settings.project, settings.branch, settings.root) == ("hello", "main", root)
    assert settings.storage.url == "s3://farm-bucket/prefix"
    assert settings.tools == ("gcc", "ar")
    assert settings.ignore == ("*.tmp",)
    compile_, link = settings.rules
    assert (compile_.name, compile_.at, compile_.timeout, compile_.env) == (
        "cc",
        "windrow.toml:14",
        30.0,
        {"LANG": "C"},
    )
    assert (link.command, link.at, link.pass_env) == ("gcc {in} -o {out}", "windrow.toml:24", ("CFLAGS",))


def test_defaults_hold_where_nothing_is_said(root):
    (root / "windrow.toml").write_text('[project]\nname = "x"\n')

    settings = loaded(root)

    assert settings.storage.url == settings.farm.broker == ""
    assert (settings.jobs, settings.mode, settings.lease) == (0, "incremental", 300.0)
    assert settings.cache_dir == root.parent / "home" / ".cache" / "windrow"
    assert settings.state_dir == root / ".windrow"


def test_each_source_wins_over_the_one_below(root):
    user = root.parent / "home" / ".config" / "windrow" / "config.toml"
    user.parent.mkdir(parents=True)
    user.write_text("[build]\njobs = 1\nlease = 10\ntimeout = 11\n[storage]\nregion = 'eu'\n[farm]\nheartbeat = 2\n")
    assert loaded(root).jobs == 1
    (root / "windrow.toml").write_text(TOML + "[build]\njobs = 2\nlease = 20\ntimeout = 22\n")
    assert loaded(root).jobs == 2
    (root / "windrow.local.toml").write_text("[build]\njobs = 3\nlease = 30\n")
    assert loaded(root).jobs == 3
    assert loaded(root, WINDROW_BUILD__JOBS="4").jobs == 4

    settings = loaded(root, flags={"jobs": 5}, WINDROW_BUILD__JOBS="4")

    assert (settings.jobs, settings.lease, settings.job_timeout) == (5, 30.0, 22.0)
    assert (settings.storage.region, settings.farm.heartbeat) == ("eu", 2.0)


def test_xdg_places_are_honoured(root, tmp_path):
    (tmp_path / "cfg" / "windrow").mkdir(parents=True)
    (tmp_path / "cfg" / "windrow" / "config.toml").write_text("[build]\njobs = 7\n")

    settings = loaded(root, XDG_CONFIG_HOME=str(tmp_path / "cfg"), XDG_CACHE_HOME=str(tmp_path / "cache"))

    assert settings.jobs == 7
    assert settings.cache_dir == tmp_path / "cache" / "windrow"


def test_the_nearest_file_above_is_taken(root):
    (root / "a" / "b").mkdir(parents=True)

    assert loaded(root / "a" / "b").root == root
    assert load(root / "a" / ".." / "a", flags={}, environ={}).root == root


def test_no_file_is_an_error_that_names_the_folder_and_the_way_out(tmp_path):
    with pytest.raises(NoProject) as caught:
        load(tmp_path, flags={}, environ={})

    assert (caught.value.code, caught.value.exit_code) == ("W0101", 2)
    assert str(tmp_path) in caught.value.what
    assert "windrow init" in caught.value.fix


@pytest.mark.parametrize(
    ("old", "new", "at", "words"),
    [
        ('name = "hello"', 'nam = "hello"', "3:1", "did you mean `name`?"),
        ('name = "hello"', "name = 3", "3:1", "must be a string, not a whole number"),
        ('name = "hello"', 'name = "Hello"', "3:1", "'hello' would do"),
        ('name = "hello"', 'name = "-x"', "3:1", "does not match"),
        ('name = "hello"', f'name = "{"x" * 101}"', "3:1", "does not match"),
        ('name = "hello"', "", "2:1", "has no name"),
        ("[storage]", "[storag]", "5:1", "did you mean `storage`?"),
        ('url = "s3://farm-bucket/prefix"', "urls = 3", "6:1", "did you mean `url`?"),
        ('url = "s3://farm-bucket/prefix"', 'url = "gs://x"', "6:1", "does not start with s3:// or file://"),
        ('url = "s3://farm-bucket/prefix"', 'url = "s3:///x"', "6:1", "names no bucket"),
        ('url = "s3://farm-bucket/prefix"', 'url = "file://x/y"', "6:1", "absolute"),
        ('url = "s3://farm-bucket/prefix"', 'endpoint = "http://h:port"', "6:1", "is not a URL"),
        ('url = "s3://farm-bucket/prefix"', 'secret_key = "x"', "6:1", "AWS_SECRET_ACCESS_KEY"),
        ('tools = ["gcc", "ar"]', 'tools = "gcc"', "9:1", 'write ["gcc"]'),
        ('tools = ["gcc", "ar"]', 'tools = ["gcc",\n  7]', "10:3", "item 2 is a whole number"),
        ('tools = ["gcc", "ar"]', "tools = [", "11:2", "not valid TOML"),
        ('ignore = ["*.tmp"]', "categories = { doc = ['*.md'] }", "12:1", "'doc' is not one of"),
        ('ignore = ["*.tmp"]', "categories = { docs = ['[x'] }", "12:1", "not closed"),
        ('ignore = ["*.tmp"]', "jobs = 3", "12:1", "it belongs in [build]"),
        ('name = "cc"', 'name = "c c"', "15:1", "does not match"),
        ('name = "cc"', "", "14:1", "a rule has no `name`"),
        ('each = "src/**/*.c"', 'eech = "x"', "16:1", "did you mean `each`?"),
        ('each = "src/**/*.c"', 'each = ["x"]', "16:1", "must be a string, not a list"),
        ('each = "src/**/*.c"', 'each = "src/[a"', "16:1", "not closed"),
        ('inputs = ["include/**/*.h"]', 'inputs = ["../x"]', "17:1", "leads out"),
        ('inputs = ["include/**/*.h"]', 'inputs = ["a", ["b"]]', "17:16", "item 2 is a list"),
        ('command = ["gcc", "-c", "{in}", "-o", "{out}"]', "command = 3", "18:1", "a list of strings, or one string"),
        ('command = ["gcc", "-c", "{in}", "-o", "{out}"]', "command = []", "18:1", "empty"),
        ('command = ["gcc", "-c", "{in}", "-o", "{out}"]', 'command = ["a\\u0000"]', "18:1", "NUL"),
        ('outputs = ["build/{stem}.o"]', 'outputs = "x"', "19:1", 'write ["x"]'),
        ('env = { LANG = "C" }', "env = { LANG = 1 }", "21:9", "a table of strings"),
        ('env = { LANG = "C" }', 'env = { "A B" = "1" }', "21:1", "not the name of an environment variable"),
        ('env = { LANG = "C" }', 'env = { LANG = "C" }\npass_env = ["LANG"]', "22:1", "both in env and in pass_env"),
        ("timeout = 30", "timeout = 0", "22:1", "is not more than 0"),
        ("timeout = 30", "timeout = nan", "22:1", "is not more than 0"),
        ("timeout = 30", "timeout = true", "22:1", "not true or false"),
        ("# a comment", "[build]\nmode = 'fast'", "2:1", "incremental, full"),
        ("# a comment", "[build]\njobs = -1", "2:1", "is not at least 0"),
        ("# a comment", "[cache]\nkeep_revisions = 0", "2:1", "is not at least 1"),
        ("# a comment", "[farm]\nbroker = 'amqp://u:hush@h'", "2:1", "amqp://u:***@h"),
        ("# a comment", "farm = 3", "1:1", "must be a table"),
    ],
)
def test_what_is_wrong_in_the_file_is_named_with_its_place(root, old, new, at, words):
    error = replaced(root, old, new)

    said = f"{error.what} {error.why} {error.fix}"
    assert words in said
    assert "hush" not in said
    assert error.at == f"windrow.toml:{at}"


def test_a_rule_that_is_no_list_is_refused(root):
    (root / "windrow.toml").write_text('[project]\nname = "x"\n[rule]\nname = "y"\n')

    error = refused(root)

    assert (error.at, error.fix) == ("windrow.toml:3:1", "[[rule]]")


def test_lines_of_rules_are_right_behind_texts_that_look_like_rules(root):
    (root / "windrow.toml").write_text(
        '[project]\nname = "x"\n[[rule]]\nname = "a"\ncommand = """\n[[rule]]\n"""\noutputs = ["a"]\n'
        '[[ rule ]]  # b\nname = "b"\ncommand = "b"\noutputs = ["b"]\n'
    )

    assert [rule.at for rule in loaded(root).rules] == ["windrow.toml:3", "windrow.toml:9"]


def test_rules_may_be_written_as_inline_tables(root):
    (root / "windrow.toml").write_text(
        'rule = [\n  {name = "a", command = "x", outputs = ["a"]},\n  {name = "b", command = "x", outputs = 3},\n]\nproject.name = "x"\n'
    )

    assert refused(root).at == "windrow.toml:3:31"


def test_a_file_that_is_not_utf8_is_named_with_the_line(root):
    (root / "windrow.toml").write_bytes(TOML.encode() + b"# caf\xe9\n")

    error = refused(root)

    assert error.at == "windrow.toml:30"
    assert "UTF-8" in error.what


@pytest.mark.parametrize(
    "text", ["[[rule]]\nname = 'x'\n", "[toolchain]\ntools = []\n", "[scan]\nignore = []\n", "[project]\nname = 'y'\n"]
)
def test_what_affects_outputs_is_accepted_from_the_project_file_only(root, text):
    (root / "windrow.local.toml").write_text(text)

    error = refused(root)

    assert error.at.startswith("windrow.local.toml:")
    assert "windrow.toml only" in error.what


@pytest.mark.parametrize(
    "name", ["WINDROW_TOOLCHAIN__TOOLS", "WINDROW_PROJECT__NAME", "WINDROW_PROJECT", "WINDROW_SCAN__IGNORE"]
)
def test_nor_from_the_environment(root, name):
    error = refused(root, **{name: "x"})

    assert error.at == f"environment variable {name}"


def test_nor_from_flags(root):
    assert "windrow.toml only" in refused(root, flags={"scan.ignore": ["x"]}).what


def test_environment_variables_are_read_as_the_type_they_are_for(root):
    settings = loaded(
        root,
        WINDROW_BRANCH="feature/x",
        WINDROW_CACHE_DIR="~/caches",
        WINDROW_STORAGE__URL="",
        WINDROW_FARM__WORKER_GRACE="2.5",
        WINDROW_FARM__BROKER="redis://:pw@h:1/0",
        WINDROW_BUILD__MODE="",
        WINDROW_SOMETHING="of others",
    )

    assert settings.branch == "feature/x"
    assert settings.cache_dir == Path(root.parent / "home" / "caches")
    assert settings.storage.url == ""
    assert settings.farm.worker_grace == 2.5
    assert settings.mode == "incremental"


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"WINDROW_BUILD__JOBS": "four"}, "must be a whole number"),
        ({"WINDROW_BUILD__JOB": "4"}, "did you mean `WINDROW_BUILD__JOBS`?"),
        ({"WINDROW_BRANCH": "Feature"}, "'feature' would do"),
        ({"WINDROW_STORAGE__URL": "s3://key:hush@bucket"}, "credentials"),
        ({"WINDROW_STORAGE__URL": "s3://bucket?secret_key=hush"}, "credentials"),
        ({"WINDROW_FARM__BROKER": "http://:hush@h"}, "http://:***@h"),
    ],
)
def test_wrong_environment_variables_are_named_and_secrets_are_not_shown(root, environ, words):
    error = refused(root, **environ)

    said = f"{error.what} {error.why} {error.fix} {error.at}"
    assert words in said
    assert next(iter(environ)) in said
    assert "hush" not in said


@pytest.mark.parametrize(
    ("flags", "words"),
    [({"jobs": -1}, "at least 0"), ({"jobs": "x"}, "whole number"), ({"bracnh": "x"}, "did you mean `branch`?")],
)
def test_wrong_flags_are_named(root, flags, words):
    error = refused(root, flags=flags)

    assert words in f"{error.what} {error.why} {error.fix}"


def test_a_flag_that_was_not_given_changes_nothing(root):
    assert loaded(root, flags={"branch": None, "jobs": None}).branch == "main"


def test_a_file_that_cannot_be_read_is_named(root):
    (root / "windrow.local.toml").mkdir()

    with pytest.raises(LocalError) as caught:
        loaded(root)

    assert "windrow.local.toml" in caught.value.what


NINJA = '[project]\nname = "x"\n\n[ninja]\n'


@pytest.mark.parametrize(
    ("written", "cwd"),
    [
        ('file = "build/build.ninja"', "build"),
        ('file = "./build//build.ninja"', "build"),
        ('file = "build.ninja"', ""),
        ('file = "gen/x.ninja"\ndirectory = "out"', "out"),
        ('file = "gen/x.ninja"\ndirectory = "./out/deep/"', "out/deep"),
        ('file = "gen/x.ninja"\ndirectory = "."', ""),
        ('file = "gen/x.ninja"\ndirectory = "./"', ""),
    ],
)
def test_commands_of_a_build_file_run_beside_it_or_where_it_is_said(tmp_path, written, cwd):
    (tmp_path / "windrow.toml").write_text(f"{NINJA}{written}\n")

    ninja = load(tmp_path, flags={}, environ={}).ninja

    assert ninja is not None
    assert ninja.cwd == cwd


def test_without_ninja_there_is_no_build_file(tmp_path):
    (tmp_path / "windrow.toml").write_text('[project]\nname = "x"\n')

    assert load(tmp_path, flags={}, environ={}).ninja is None


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('local = ["x"]', "[ninja] names no file"),
        ('file = "/abs/build.ninja"', "`ninja.file` has a value it cannot take"),
        ('file = "../build.ninja"', "`ninja.file` has a value it cannot take"),
        ('file = "b.ninja"\ndirectory = "../out"', "`ninja.directory` has a value it cannot take"),
        ('file = "b.ninja"\ndirectory = ".."', "`ninja.directory` has a value it cannot take"),
        ('file = "b.ninja"\nlocal = "docs"', "`ninja.local` must be a list of strings"),
        ('file = "b.ninja"\nfolder = "out"', "unknown key `folder` in [ninja]"),
    ],
)
def test_what_is_wrong_with_ninja_is_told_with_its_place(tmp_path, written, told):
    (tmp_path / "windrow.toml").write_text(f"{NINJA}{written}\n")

    with pytest.raises(ConfigError) as error:
        load(tmp_path, flags={}, environ={})

    assert told in error.value.what
    assert error.value.at.startswith("windrow.toml:")


def test_a_build_file_is_named_for_everybody_or_for_nobody(tmp_path):
    (tmp_path / "windrow.toml").write_text('[project]\nname = "x"\n')
    (tmp_path / "windrow.local.toml").write_text('[ninja]\nfile = "build.ninja"\n')

    with pytest.raises(ConfigError, match=r"is accepted from windrow\.toml only"):
        load(tmp_path, flags={}, environ={})


def test_settings_files_are_where_settings_may_be(tmp_path):
    files = settings_files(tmp_path, {"HOME": "/home/me", "XDG_CONFIG_HOME": "/etc/xdg"})

    assert [str(file) for file in files] == [
        f"{tmp_path}/windrow.toml",
        f"{tmp_path}/windrow.local.toml",
        "/etc/xdg/windrow/config.toml",
    ]
