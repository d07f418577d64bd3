"""The keys of a bucket: from a file that the settings name, else from the environment.

They stay in this process: no command that it runs finds them in its environment.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec

from shared.atomic import write_atomic
from shared.errors import ConfigError, UnreadableFile

_KEY, _SECRET, _TOKEN = "aws_access_key_id", "aws_secret_access_key", "aws_session_token"


class Keys(msgspec.Struct, frozen=True):
    """What opens a bucket; shown nowhere."""

    access_key: str
    secret_key: str
    token: str = ""

    def __repr__(self) -> str:
        """Nothing of the secret."""
        return "Keys(...)"


def of_environment(environ: Mapping[str, str]) -> Keys | None:
    """The keys in AWS_*; None leaves the search in ~/.aws and the rest to boto3."""
    access, secret = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
    return Keys(access, secret, environ.get("AWS_SESSION_TOKEN", "")) if access and secret else None


def read(path: Path) -> Keys:
    """The keys of a file in the form of ~/.aws/credentials, section `default`.

    Raises UnreadableFile when it is not there, ConfigError when it holds no keys or others may read it.
    """
    try:
        with path.open(encoding="utf-8") as file:
            others = stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(
            f"the credentials file {path} cannot be read",
            at="storage.credentials_file",
            why=str(error),
            fix="mend the path, or start the farm that wrote it: windrow farm up",
        ) from error
    if others:
        raise ConfigError(
            f"others may read the credentials file {path}", at="storage.credentials_file", fix=f"chmod 600 {path}"
        )
    import configparser  # noqa: PLC0415 - only where a file is named

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
        section = parser["default"]
    except (configparser.Error, KeyError) as error:
        raise _no_keys(path) from error
    access, secret = section.get(_KEY), section.get(_SECRET)
    if not access or not secret:
        raise _no_keys(path)
    return Keys(access, secret, section.get(_TOKEN) or "")


def write(path: Path, keys: Keys) -> None:
    """Write a credentials file that only this user can read."""
    text = f"[default]\n{_KEY} = {keys.access_key}\n{_SECRET} = {keys.secret_key}\n"
    write_atomic(path, text.encode(), durable=False, mode=0o600)


def _no_keys(path: Path) -> ConfigError:
    # Never what the file says: it may hold a secret in the wrong place.
    return ConfigError(
        f"the credentials file {path} holds no keys",
        at="storage.credentials_file",
        fix=f"write a section [default] with {_KEY} and {_SECRET}",
    )
