"""aiobotocore: botocore's operations over aiohttp, many at once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import aiobotocore
import botocore.exceptions
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore import xform_name
from driver_protocol import BIG_SIZE
from s3api_steps import PART_SIZE, Refused, S3ApiDriver


class Aiobotocore(S3ApiDriver):
    name = "aiobotocore"

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stack = AsyncExitStack()
        self.client = self._wait(self._connect())

    def _wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(coroutine)

    async def _connect(self) -> Any:
        client = get_session().create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            verify=self.ca_file,
            config=AioConfig(retries={"total_max_attempts": 1}),
        )
        return await self.stack.enter_async_context(client)

    def version(self) -> str:
        return aiobotocore.__version__

    async def _call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = await getattr(self.client, xform_name(operation))(**parameters)
        except botocore.exceptions.ClientError as error:
            raise Refused(error.response["Error"]["Code"], str(error)) from error
        if operation == "GetObject":
            async with answer["Body"] as body:
                answer["Body"] = await body.read()
        return answer

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self._wait(self._call(operation, parameters))

    def call_many(self, operation: str, calls: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        async def all_at_once() -> list[dict[str, Any]]:
            return await asyncio.gather(*(self._call(operation, parameters) for parameters in calls))

        return self._wait(all_at_once())

    def upload(self, path: Path, key: str) -> int:
        """It has no transfer manager: its users make the parts themselves, several at once."""
        where = {"Bucket": self.bucket, "Key": key}
        where["UploadId"] = self.call("CreateMultipartUpload", **where)["UploadId"]
        data = path.read_bytes()
        pieces = [data[start : start + PART_SIZE] for start in range(0, BIG_SIZE, PART_SIZE)]
        numbered = [{**where, "PartNumber": number, "Body": piece} for number, piece in enumerate(pieces, start=1)]
        parts = [
            {"PartNumber": number, "ETag": answer["ETag"]}
            for number, answer in enumerate(self.call_many("UploadPart", numbered), start=1)
        ]
        self.call("CompleteMultipartUpload", **where, MultipartUpload={"Parts": parts})
        return PART_SIZE

    def download(self, key: str, path: Path) -> None:
        async def stream() -> None:
            answer = await self.client.get_object(Bucket=self.bucket, Key=key)
            async with answer["Body"] as body:
                with path.open("wb") as file:
                    async for piece in body.iter_chunks(1 << 20):
                        file.write(piece)

        self._wait(stream())

    def presign(self, operation: str, **parameters: Any) -> str:
        return self._wait(self.client.generate_presigned_url(xform_name(operation), parameters, ExpiresIn=300))

    def list_keys(self, bucket: str, prefix: str) -> list[str]:
        async def all_pages() -> list[str]:
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [item["Key"] async for page in pages for item in page.get("Contents", [])]

        return self._wait(all_pages())

    def main(self) -> None:
        super().main()
        self._wait(self.stack.aclose())


if __name__ == "__main__":
    Aiobotocore().main()
