"""Blobs and records in an S3-compatible bucket; the only module that imports boto3 and obstore."""

from __future__ import annotations

from shared.errors import StoreUnavailable


def make_bucket(bucket: str, *, endpoint: str, access_key: str, secret_key: str, region: str = "us-east-1") -> None:
    """Create a bucket of ours if it is not there; StoreUnavailable when that fails."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=10)
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=config,
    )
    try:
        client.create_bucket(Bucket=bucket)
    except client.exceptions.BucketAlreadyOwnedByYou:
        return
    except (BotoCoreError, ClientError) as error:
        raise StoreUnavailable(f"cannot create bucket {bucket} at {endpoint}", why=type(error).__name__) from error
    finally:
        client.close()
