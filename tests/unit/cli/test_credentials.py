"""Credentials: from a private file into the environment, and never into a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import credentials
from shared.errors import ConfigError, UnreadableFile
from shared.settings import StorageSettings


def test_what_is_written_is_provided(tmp_path: Path) -> None:
    credentials.write(tmp_path / "keys", "AK", "s3cr3t")
    environ: dict[str, str] = {}

    credentials.provide(StorageSettings(credentials_file="keys"), tmp_path, environ)

    assert environ == {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "s3cr3t"}
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600


def test_keys_of_the_environment_come_first(tmp_path: Path) -> None:
    environ = {"AWS_ACCESS_KEY_ID": "mine"}

    credentials.provide(StorageSettings(credentials_file="is/not/there"), tmp_path, environ)

    assert environ == {"AWS_ACCESS_KEY_ID": "mine"}


def test_without_a_file_nothing_happens(tmp_path: Path) -> None:
    environ: dict[str, str] = {}

    credentials.provide(StorageSettings(), tmp_path, environ)

    assert environ == {}


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    credentials.write(tmp_path / "keys", "AK", "s3cr3t")
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
    credentials.write(tmp_path / "keys", "AK", "one")
    credentials.write(tmp_path / "keys", "AK", "two")

    assert credentials.keys(tmp_path / "keys") == ("AK", "two")
    assert credentials.keys(tmp_path / "none") is None
