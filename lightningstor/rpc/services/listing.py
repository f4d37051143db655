"""ListObjects and ListObjectVersions."""

from __future__ import annotations

from lightningstor.rpc.call import RpcCall
from lightningstor.rpc.gen import object_service_pb2 as pb
from lightningstor.rpc.gen import types_pb2 as types
from lightningstor.rpc.services.context import ServiceContext
from lightningstor.rpc.services.convert import checksum_message, optional, storage_class_number, version_message
from lightningstor.rpc.services.paging import page_limit, pair_of_token, token_of_pair
from lightningstor.store.tokens import decode_token, encode_token

__all__ = ["Listing"]


class Listing:
    """The part of ObjectService that lists objects."""

    _context: ServiceContext

    async def ListObjects(self, input_message: pb.ListObjectsRequest, request: RpcCall) -> pb.ListObjectsResponse:
        """Current objects and common prefixes, by key."""
        message = input_message
        await self._context.gate.enter(request, message.bucket, facts=_facts(message))
        token = message.continuation_token
        page = await self._context.store.listings.objects(
            request.named,
            prefix=message.prefix,
            delimiter=message.delimiter,
            after=decode_token(token, "continuation_token") if token else message.start_after,
            limit=page_limit(optional(message, "max_keys"), self._context.store.limits.max_keys_per_list),
        )
        return pb.ListObjectsResponse(
            objects=[
                types.ObjectSummary(
                    key=key,
                    size=version.size,
                    etag=version.etag,
                    storage_class=storage_class_number(version.storage_class),
                    updated_at=version.created_at,
                    checksum=checksum_message(version.checksum),
                )
                for key, version in page.objects
            ],
            common_prefixes=page.prefixes,
            is_truncated=page.truncated,
            next_continuation_token=encode_token(page.next_after) if page.truncated and page.next_after else None,
        )

    async def ListObjectVersions(
        self, input_message: pb.ListObjectVersionsRequest, request: RpcCall
    ) -> pb.ListObjectVersionsResponse:
        """All versions and delete markers: keys ascending, of each key the newest first."""
        message = input_message
        await self._context.gate.enter(request, message.bucket, facts=_facts(message))
        key_marker, version_marker = pair_of_token(message.continuation_token)
        page = await self._context.store.listings.versions(
            request.named,
            prefix=message.prefix,
            delimiter=message.delimiter,
            key_marker=key_marker,
            version_id_marker=version_marker,
            limit=page_limit(optional(message, "max_keys"), self._context.store.limits.max_keys_per_list),
        )
        return pb.ListObjectVersionsResponse(
            versions=[version_message(entry.key, entry.version, entry.is_latest) for entry in page.versions],
            common_prefixes=page.prefixes,
            is_truncated=page.truncated,
            next_continuation_token=token_of_pair(page.next_key, page.next_version_id) if page.truncated else None,
        )


def _facts(message: pb.ListObjectsRequest | pb.ListObjectVersionsRequest) -> dict[str, str | None]:
    """What conditions may ask of a listing."""
    limit = optional(message, "max_keys")
    return {
        "s3:prefix": message.prefix,
        "s3:delimiter": message.delimiter,
        "s3:max-keys": None if limit is None else str(limit),
    }
