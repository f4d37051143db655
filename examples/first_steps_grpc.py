"""First steps over gRPC: a bucket, an object, a large one in parts. Where the store is, and a token for it, come from
the environment:

    LIGHTNINGSTOR_GRPC_URL=http://127.0.0.1:9001 \\
    LIGHTNINGSTOR_TOKEN=$(lightningstor token issue alice) python examples/first_steps_grpc.py
"""

import os

import trio

from lightningstor.client import (
    CompleteMultipartUploadRequest,
    CreateBucketRequest,
    CreateMultipartUploadRequest,
    FailedPrecondition,
    GetObjectRequest,
    LightningStorClient,
    PutObjectRequest,
)


async def main() -> None:
    url, token = os.environ["LIGHTNINGSTOR_GRPC_URL"], os.environ["LIGHTNINGSTOR_TOKEN"]
    async with LightningStorClient.connect(url, token=token) as client:
        await client.create_bucket(CreateBucketRequest(name="my-bucket", org_id="org-1", project_id="proj-1"))

        hello = PutObjectRequest(
            bucket="my-bucket", key="path/to/object.txt", content=b"Hello, World!", content_type="text/plain"
        )
        print("etag", (await client.put_object(hello)).etag)

        # An object comes as it is read; the store sends no further ahead than the client's window.
        async with client.get_object(GetObjectRequest(bucket="my-bucket", key="path/to/object.txt")) as stream:
            print(stream.metadata.content_type, stream.metadata.size)
            content = bytearray()
            async for chunk in stream:
                content += chunk.content
        print(content.decode())

        # A condition that is not met: the error has gRPC's status as its class, and S3's code.
        hello.if_none_match = "*"
        try:
            await client.put_object(hello)
        except FailedPrecondition as error:
            print("refused", error.s3_code)

        # In parts, step by step.
        upload = await client.create_multipart_upload(
            CreateMultipartUploadRequest(bucket="my-bucket", key="large-file.bin")
        )
        parts = []
        for number, piece in enumerate([bytes(5 << 20), b"and the rest"], start=1):
            parts.append(await client.upload_part(upload.upload_id, number, piece))
        done = await client.complete_multipart_upload(
            CompleteMultipartUploadRequest(
                bucket="my-bucket", key="large-file.bin", upload_id=upload.upload_id, parts=parts
            )
        )
        print("in parts", done.size)

        # Or all at once: parts in parallel, and nothing left behind if it fails or is cancelled.
        done = await client.upload("my-bucket", "large-file.bin", bytes(12 << 20), part_size=5 << 20, parallel=3)
        print("uploaded", done.size)


trio.run(main)
