"""A bucket: where it is, who may open it, its two clients, and what their errors mean."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shared.errors import ConfigError, StoreUnavailable
from shared.patience import limited
from shared.settings import STORE_PATIENCE
from shared.storage import credentials
from shared.storage.credentials import Keys

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from obstore.store import S3Credential, S3Store

CONNECT_SECONDS = 5
READ_SECONDS = 15
_WHOLE_SECONDS = 3600
_RETRIES = 4
_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_CLOCK_CODES = {"RequestTimeTooSkewed", "RequestExpired"}
_KEY_CODES = {
    *("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"),
    *("401", "403"),
}
_PASSING_STATUSES, _PASSING_CODES = {408, 429}, {"RequestTimeout", "SlowDown"}


class Bucket:
    """A bucket and the prefix in it that belongs to us. Clients are made when first used. Thread-safe."""

    def __init__(
        self,
        url: str,
        *,
        endpoint: str = "",
        region: str = "us-east-1",
        keys: Keys | Path | None = None,
        checksum: bool = False,
        patience: float = STORE_PATIENCE,
    ) -> None:
        """Url is `s3://bucket/prefix`; checksum: the server checks SHA-256 sums sent along with an upload.

        keys: themselves or their file, which is read when a client is made, and again once the server refused what it
        held; without, what the environment has.
        patience: seconds without an answer until a call fails.
        """
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
            raise ConfigError(f"{url!r} is not the address of a bucket", fix='write url = "s3://bucket/prefix"')
        self.name = parts.netloc
        self.prefix = "/".join(part for part in parts.path.split("/") if part)
        if any(part in (".", "..") for part in self.prefix.split("/")):
            raise ConfigError(f"{url!r} has a prefix with dots for a part")
        self.endpoint, self.region, self.checksum = endpoint.rstrip("/"), region, checksum
        self.patience = patience
        self._keys = keys
        self._stores: dict[float, S3Store] = {}
        self._client: S3Client | None = None
        self._lock = threading.Lock()

    @property
    def label(self) -> str:
        """How a message names it."""
        return f"bucket {self.name} at {self.endpoint or f'AWS {self.region}'}"

    def key(self, name: str) -> str:
        """The object key of a name, for the boto3 client; the other one adds the prefix itself."""
        return f"{self.prefix}/{name}" if self.prefix else name

    @property
    def store(self) -> S3Store:
        """The client of the hot path."""
        return self._store(limited(READ_SECONDS, self.patience))

    @property
    def uploads(self) -> S3Store:
        """The same for large uploads: the time for an answer begins with the sending, and a thin wire is no silence."""
        return self._store(READ_SECONDS)

    def _store(self, answer: float) -> S3Store:
        with self._lock:
            if answer not in self._stores:
                self._stores[answer] = self._open_store(answer)
            return self._stores[answer]

    @property
    def client(self) -> S3Client:
        """The client of the control plane: it tries once, so that whoever calls knows what happened."""
        with self._lock:
            if self._client is None:
                self._client = self._open_client()
            return self._client

    def _opened_by(self) -> Keys | None:
        if isinstance(self._keys, Path):
            return credentials.read(self._keys)
        return self._keys or credentials.of_environment(os.environ)

    def _open_store(self, answer: float) -> S3Store:
        from obstore.store import S3Store  # noqa: PLC0415

        config: dict[str, Any] = {"region": self.region, "virtual_hosted_style_request": not self.endpoint}
        if self.endpoint:
            config["endpoint"] = self.endpoint
        if self.checksum:
            config["checksum_algorithm"] = "sha256"
        keys = self._opened_by()
        # Given as options, keys without a token would be sent with the one that the environment has.
        config["credential_provider"] = _provider(keys) if keys else self._session_credentials()
        return S3Store(
            self.name,
            prefix=self.prefix or None,
            client_options={
                "allow_http": self.endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=limited(CONNECT_SECONDS, self.patience)),
                "read_timeout": timedelta(seconds=answer),
                "timeout": timedelta(seconds=_WHOLE_SECONDS),
            },
            retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=self.patience)},
            **config,
        )

    def _session_credentials(self) -> Any:
        # Only here: a machine that has its keys in the environment does not pay for boto3 to read.
        from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415

        try:
            return Boto3CredentialProvider()
        except ValueError as error:
            raise ConfigError(
                f"there are no credentials for {self.label}",
                why="neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY nor ~/.aws have any",
                fix="set them in the environment",
            ) from error

    def _open_client(self) -> S3Client:
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        keys = self._opened_by()
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint or None,
            region_name=self.region,
            aws_access_key_id=keys.access_key if keys else None,
            aws_secret_access_key=keys.secret_key if keys else None,
            aws_session_token=(keys.token or None) if keys else None,
            config=Config(
                retries={"total_max_attempts": 1},
                connect_timeout=limited(CONNECT_SECONDS, self.patience),
                read_timeout=limited(READ_SECONDS, self.patience),
                max_pool_connections=32,
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "path" if self.endpoint else "auto"},
            ),
        )

    def failed(self, error: Exception, doing: str) -> StoreUnavailable:
        """What an error of either client means; nothing a server sent is repeated but its error code."""
        code = code_of(error)
        if code in _KEY_CODES and isinstance(self._keys, Path):
            # Keys with a token end, and whoever keeps the file puts new ones into it.
            with self._lock:
                self._stores, self._client = {}, None
        if code == "NoSuchBucket":
            fix = "create the bucket, or mend url in [storage]"
        elif code in _KEY_CODES:
            where = self._keys if isinstance(self._keys, Path) else "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            fix = f"check the keys in {where}, and what they may do in this bucket"
        elif code in _CLOCK_CODES:
            fix = "set the clock of this machine"
        else:
            fix = "check that the bucket can be reached: windrow doctor"
        return StoreUnavailable(f"{self.label} failed while {doing}", at=self.label, why=code, fix=fix)


def code_of(error: Exception) -> str:
    """The server's error code or status, or what went wrong on the way to it."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code", "")) or str(status_of(error))
    text = str(error)
    found = _CODE.search(text) or _STATUS.search(text)
    if found:
        return found.group(1)
    if "timed out" in text or "Timeout" in type(error).__name__:
        return "it did not answer in time"
    return "it could not be reached"


def status_of(error: Exception) -> int:
    """The HTTP status of a boto3 error; 0 when there was no answer."""
    response = getattr(error, "response", None)
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) if isinstance(response, dict) else 0


def passing(error: Exception) -> bool:
    """Whether a boto3 error is one that the same request may not meet again."""
    status = status_of(error)
    return status >= 500 or status in _PASSING_STATUSES or code_of(error) in _PASSING_CODES


def _provider(keys: Keys) -> Callable[[], S3Credential]:
    credential: S3Credential = {
        "access_key_id": keys.access_key,
        "secret_access_key": keys.secret_key,
        "token": keys.token or None,
        "expires_at": None,
    }
    return lambda: credential


def make_bucket(bucket: str, *, endpoint: str, keys: Keys, region: str = "us-east-1") -> None:
    """Create a bucket of ours if it is not there; StoreUnavailable when that fails."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    opened = Bucket(f"s3://{bucket}", endpoint=endpoint, region=region, keys=keys)
    try:
        opened.client.create_bucket(Bucket=bucket)
    except (BotoCoreError, ClientError) as error:
        if code_of(error) not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise opened.failed(error, "creating it") from error
    finally:
        opened.client.close()
