"""Two services of a platform on the store: images of virtual machines, and backups that keep their versions.

LIGHTNINGSTOR_GRPC_URL=http://127.0.0.1:9001 LIGHTNINGSTOR_TOKEN=… python examples/platform_grpc.py image.raw
"""

import os
import sys

import trio

from lightningstor.client import (
    VERSIONING_STATUS_ENABLED,
    CreateBucketRequest,
    CreateMultipartUploadRequest,
    GetObjectRequest,
    LightningStorClient,
    ListObjectVersionsRequest,
    PutObjectRequest,
    VersioningConfig,
)


async def store_image(client: LightningStorClient, org_id: str, image_id: str, version: str, path: str) -> str:
    """Store a VM's image under its organisation, id and version; its key."""
    key = f"{org_id}/{image_id}/{version}"
    draft = CreateMultipartUploadRequest(content_type="application/octet-stream")
    async with await trio.open_file(path, "rb") as image:
        await client.upload("vm-images", key, image, draft=draft)
    return key


async def boot_sector(client: LightningStorClient, key: str) -> bytes:
    """The first 512 bytes of an image, without the rest of it."""
    request = GetObjectRequest(bucket="vm-images", key=key, range="bytes=0-511")
    async with client.get_object(request) as stream:
        return await stream.read()


async def back_up(client: LightningStorClient, name: str, content: bytes) -> None:
    """Store a backup; earlier ones of the name stay as its versions."""
    await client.put_object(PutObjectRequest(bucket="backups", key=name, content=content))


async def main() -> None:
    url, token = os.environ["LIGHTNINGSTOR_GRPC_URL"], os.environ["LIGHTNINGSTOR_TOKEN"]
    org_id = "org-1"
    async with LightningStorClient.connect(url, token=token) as client:
        await client.create_bucket(CreateBucketRequest(name="vm-images", org_id=org_id))
        key = await store_image(client, org_id, "debian-13", "2", sys.argv[1])
        print(key, len(await boot_sector(client, key)))

        await client.create_bucket(
            CreateBucketRequest(
                name="backups", org_id=org_id, versioning=VersioningConfig(status=VERSIONING_STATUS_ENABLED)
            )
        )
        for content in (b"monday", b"tuesday"):
            await back_up(client, "db.dump", content)
        listed = await client.list_object_versions(ListObjectVersionsRequest(bucket="backups"))
        for version in listed.versions:
            request = GetObjectRequest(bucket="backups", key=version.key, version_id=version.version_id)
            async with client.get_object(request) as stream:
                print(version.key, (await stream.read()).decode(), "latest" if version.is_latest else "")


trio.run(main)
