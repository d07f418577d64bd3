"""Storage credentials from the file that the settings name: into this process's environment, and nowhere else."""

from __future__ import annotations

import os
import stat
from collections.abc import MutableMapping
from pathlib import Path

from shared.atomic import write_atomic
from shared.errors import ConfigError, UnreadableFile
from shared.settings import Settings, StorageSettings

_NAMES = {
    "aws_access_key_id": "AWS_ACCESS_KEY_ID",
    "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "aws_session_token": "AWS_SESSION_TOKEN",
}
_KEY, _SECRET = "aws_access_key_id", "aws_secret_access_key"


def with_credentials(settings: Settings) -> Settings:
    """The same settings, once the keys of their bucket are where clients look for them."""
    provide(settings.storage, settings.root, os.environ)
    return settings


def provide(storage: StorageSettings, root: Path, environ: MutableMapping[str, str]) -> None:
    """Set AWS_* from storage.credentials_file, unless the environment has keys already.

    The file has the form of ~/.aws/credentials, section `default`; a relative path is one under `root`. Raises
    UnreadableFile when it is not there, ConfigError when it holds no keys or others may read it.
    """
    if not storage.credentials_file or environ.get("AWS_ACCESS_KEY_ID"):
        return
    path = root / Path(storage.credentials_file).expanduser()
    for name, value in read(path).items():
        environ[_NAMES[name]] = value


def read(path: Path) -> dict[str, str]:
    """The keys of a credentials file; errors as provide()'s."""
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
    found = {name: section[name] for name in _NAMES if section.get(name)}
    if _KEY not in found or _SECRET not in found:
        raise _no_keys(path)
    return found


def write(path: Path, access_key: str, secret_key: str) -> None:
    """Write a credentials file that only this user can read."""
    text = f"[default]\n{_KEY} = {access_key}\n{_SECRET} = {secret_key}\n"
    write_atomic(path, text.encode(), durable=False, mode=0o600)


def keys(path: Path) -> tuple[str, str] | None:
    """Access key and secret key of a credentials file that write() made; None when there is none."""
    if not path.exists():
        return None
    found = read(path)
    return found[_KEY], found[_SECRET]


def _no_keys(path: Path) -> ConfigError:
    # Never what the file says: it may hold a secret in the wrong place.
    return ConfigError(
        f"the credentials file {path} holds no keys",
        at="storage.credentials_file",
        fix=f"write a section [default] with {_KEY} and {_SECRET}",
    )
