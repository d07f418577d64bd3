"""Credentials: from a private file or the environment, and never in a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import ConfigError, UnreadableFile
from shared.storage import credentials
from shared.storage.credentials import Keys


def test_what_is_written_is_read_and_nobody_else_reads_it(tmp_path: Path) -> None:
    credentials.write(tmp_path / "keys", Keys("AK", "s3cr3t"))

    assert credentials.read(tmp_path / "keys") == Keys("AK", "s3cr3t")
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600


def test_a_session_token_of_a_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("[default]\naws_access_key_id = AK\naws_secret_access_key = s\naws_session_token = t\n")
    path.chmod(0o600)

    assert credentials.read(path) == Keys("AK", "s", "t")


def test_the_environment_has_keys_only_in_pairs() -> None:
    both = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}

    assert credentials.of_environment(both) == Keys("AK", "s", "t")
    assert credentials.of_environment({"AWS_ACCESS_KEY_ID": "AK"}) is None


def test_keys_are_shown_nowhere() -> None:
    assert "s3cr3t" not in repr(Keys("AK", "s3cr3t"))


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    credentials.write(tmp_path / "keys", Keys("AK", "s3cr3t"))
    (tmp_path / "keys").chmod(0o644)

    with pytest.raises(ConfigError, match="others may read"):
        credentials.read(tmp_path / "keys")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="keys"):
        credentials.read(tmp_path / "keys")


@pytest.mark.parametrize(
    "text", ["", "s3cr3t", "[default]\naws_access_key_id = AK\n", "[other]\nx = s3cr3t\n", "[default\ns3cr3t"]
)
def test_a_file_without_keys_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text)
    path.chmod(0o600)

    with pytest.raises(ConfigError, match="holds no keys") as caught:
        credentials.read(path)

    assert "s3cr3t" not in f"{caught.value.what}{caught.value.why}{caught.value.fix}"


def test_a_second_write_replaces_the_first(tmp_path: Path) -> None:
    credentials.write(tmp_path / "keys", Keys("AK", "one"))
    credentials.write(tmp_path / "keys", Keys("AK", "two"))

    assert credentials.read(tmp_path / "keys") == Keys("AK", "two")
