"""boto3 as its users have it: default checksums. With `[crt]` installed: CRC64NVME, which the CRT computes."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import boto3
import botocore.exceptions
from boto3.s3.transfer import TransferConfig
from botocore import xform_name
from botocore.config import Config
from s3api_steps import PART_SIZE, Refused, S3ApiDriver

CRT = importlib.util.find_spec("awscrt") is not None
_CLASSIC = TransferConfig(preferred_transfer_client="classic")


class Boto3(S3ApiDriver):
    name = "boto3[crt]" if CRT else "boto3"
    PARTLY = {"multipart_100m": "its CRT transfers take no endpoint_url: these are its own, with the CRT's checksums"}
    PARTLY = PARTLY if CRT else {}

    def __init__(self) -> None:
        super().__init__()
        self.client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            verify=self.ca_file,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def version(self) -> str:
        if not CRT:
            return boto3.__version__
        import awscrt

        return f"{boto3.__version__} with awscrt {awscrt.__version__}"

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        if CRT and operation == "PutObject":
            # What [crt] adds to the default of CRC32.
            parameters["ChecksumAlgorithm"] = "CRC64NVME"
        try:
            answer = getattr(self.client, xform_name(operation))(**parameters)
        except botocore.exceptions.ClientError as error:
            raise Refused(error.response["Error"]["Code"], str(error)) from error
        if operation == "GetObject":
            answer["Body"] = answer["Body"].read()
        return answer

    def call_many(self, operation: str, calls: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda parameters: self.call(operation, **parameters), calls))

    def upload(self, path: Path, key: str) -> int:
        checksum = {"ChecksumAlgorithm": "CRC64NVME"} if CRT else {}
        self.client.upload_file(str(path), self.bucket, key, Config=_CLASSIC, ExtraArgs=checksum)
        return PART_SIZE

    def download(self, key: str, path: Path) -> None:
        self.client.download_file(self.bucket, key, str(path), Config=_CLASSIC)

    def presign(self, operation: str, **parameters: Any) -> str:
        return self.client.generate_presigned_url(xform_name(operation), parameters, ExpiresIn=300)

    def list_keys(self, bucket: str, prefix: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]


if __name__ == "__main__":
    Boto3().main()
