"""PutObject, CopyObject, DeleteObject and DeleteObjects."""

from __future__ import annotations

import logging

from lightningstor.errors import (
    AccessDenied,
    CurrentIsDeleteMarker,
    InvalidArgument,
    InvalidRequest,
    NoSuchKey,
    NoSuchVersion,
    StoreError,
    VersionIsDeleteMarker,
)
from lightningstor.iam.authorize import Resource
from lightningstor.model.names import object_key
from lightningstor.model.records import DISABLED, Bucket
from lightningstor.rpc.call import RpcCall
from lightningstor.rpc.gate import VERSION_ID
from lightningstor.rpc.gen import object_service_pb2 as pb
from lightningstor.rpc.services.context import ServiceContext
from lightningstor.rpc.services.convert import (
    algorithm_of,
    checksum_message,
    content_type_of,
    expected_digests,
    kept_headers,
    metadata_of,
    optional,
    shown_version,
    storage_class,
)
from lightningstor.rpc.status import StatusCode
from lightningstor.store.api import Deleted, Deletion, ObjectDraft
from lightningstor.store.conditions import ReadConditions, write_conditions, write_if_match
from lightningstor.store.copy import Source
from lightningstor.store.delete import MAX_DELETES
from lightningstor.store.find import Found
from lightningstor.store.sources import BytesSource

__all__ = ["Writing", "draft_of"]

logger = logging.getLogger("lightningstor.rpc")

_REPLACE = pb.COPY_DIRECTIVE_REPLACE
_DESCRIBING = ("content_type", "metadata", "cache_control", "content_disposition", "content_encoding",
               "content_language", "expires")  # fmt: skip


def draft_of(
    call: RpcCall,
    message: pb.PutObjectRequest | pb.CreateMultipartUploadRequest | pb.CopyObjectRequest,
    algorithm: str | None,
) -> ObjectDraft:
    """The new object but for its bytes.

    Raises:
        InvalidArgument, UnsupportedStorageClass
    """
    assert call.principal is not None
    return ObjectDraft(
        call.principal.owner,
        content_type_of(message),
        kept_headers(message),
        metadata_of(message),
        dict(message.tags) or None,
        storage_class(message.storage_class),
        algorithm,
    )


class Writing:
    """The part of ObjectService that makes and deletes objects in one call."""

    _context: ServiceContext

    async def PutObject(self, input_message: pb.PutObjectRequest, request: RpcCall) -> pb.PutObjectResponse:
        """Store an object that fits in a message."""
        bucket, key = input_message.bucket, input_message.key
        await self._context.gate.enter(request, bucket, key)
        algorithm = algorithm_of(input_message.checksum_algorithm)
        written = await self._context.store.puts.put(
            request.named,
            key,
            draft_of(request, input_message, algorithm),
            BytesSource(input_message.content, expected_digests(algorithm, input_message.checksum_value)),
            write_conditions(optional(input_message, "if_match"), optional(input_message, "if_none_match")),
        )
        version = written.version
        request.object_size = version.size
        request.version_id = shown_version(written.bucket, version)
        return pb.PutObjectResponse(
            etag=version.etag,
            version_id=request.version_id,
            checksum=checksum_message(version.checksum),
            size=version.size,
        )

    async def CopyObject(self, input_message: pb.CopyObjectRequest, request: RpcCall) -> pb.CopyObjectResponse:
        """Copy an object, with its metadata or with other."""
        context, message = self._context, input_message
        _check_directives(message)
        await context.gate.enter(request, message.bucket, message.key)
        source_key, version_id = message.source_key, optional(message, "source_version_id")
        source_bucket = await context.gate.enter(
            request, message.source_bucket, source_key, operation="GetObject", facts={VERSION_ID: version_id}
        )
        source = Source(context.store.buckets.reference(source_bucket), source_key, version_id)
        conditions = ReadConditions(
            optional(message, "source_if_match"),
            optional(message, "source_if_none_match"),
            optional(message, "source_if_modified_since"),
            optional(message, "source_if_unmodified_since"),
            "source-",
        )
        try:
            copied = await context.store.copies.copy(
                source,
                lambda found: conditions.check(found.version.etag, found.version.created_at),
                request.named,
                message.key,
                lambda found: _copy_draft(request, message, found),
                write_conditions(optional(message, "if_match"), optional(message, "if_none_match")),
                replace_metadata=message.metadata_directive == _REPLACE,
            )
        except VersionIsDeleteMarker:
            raise InvalidRequest(
                "The source of a copy request may not specifically refer to a delete marker by version id."
            ) from None
        except (NoSuchKey, NoSuchVersion, CurrentIsDeleteMarker) as absent:
            raise await context.gate.hide_absence(request, source_bucket, absent) from None
        version = copied.written.version
        request.object_size = version.size
        request.version_id = shown_version(copied.written.bucket, version)
        return pb.CopyObjectResponse(
            etag=version.etag,
            version_id=request.version_id,
            checksum=checksum_message(version.checksum),
            updated_at=version.created_at,
            source_version_id=shown_version(copied.source.bucket, copied.source.version),
            size=version.size,
        )

    async def DeleteObject(self, input_message: pb.DeleteObjectRequest, request: RpcCall) -> pb.DeleteObjectResponse:
        """Delete an object or one version of it."""
        bucket, key, version_id = input_message.bucket, input_message.key, optional(input_message, "version_id")
        found = await self._context.gate.enter(request, bucket, key, facts={VERSION_ID: version_id})
        deleted = await self._context.store.deletes.delete(
            request.named,
            key,
            self._context.gate.principal(request).owner,
            version_id,
            write_if_match(optional(input_message, "if_match")),
        )
        request.version_id = None if found.versioning == DISABLED else deleted.version_id
        return pb.DeleteObjectResponse(version_id=request.version_id, delete_marker=deleted.delete_marker)

    async def DeleteObjects(self, input_message: pb.DeleteObjectsRequest, request: RpcCall) -> pb.DeleteObjectsResponse:
        """Delete several objects or versions, each by itself and each authorised by itself."""
        wanted = input_message.objects
        if not 1 <= len(wanted) <= MAX_DELETES:
            raise InvalidArgument(f"DeleteObjects takes 1 to {MAX_DELETES} objects", "objects", str(len(wanted)))
        bucket = await self._context.gate.enter_some(request, input_message.bucket)
        refused: dict[int, Exception] = {}
        allowed: list[Deletion] = []
        for index, item in enumerate(wanted):
            try:
                await self._check_deletion(request, bucket, item)
            except StoreError as error:
                refused[index] = error
            else:
                allowed.append(Deletion(item.key, optional(item, "version_id"), optional(item, "if_match")))
        if len(refused) == len(wanted) and all(isinstance(error, AccessDenied) for error in refused.values()):
            raise refused[0]
        owner = self._context.gate.principal(request).owner
        done = iter(await self._context.store.deletes.delete_many(request.named, owner, allowed) if allowed else ())
        answer = pb.DeleteObjectsResponse()
        for index, item in enumerate(wanted):
            result = refused[index] if index in refused else next(done)
            if isinstance(result, Exception):
                answer.errors.append(self._failure(request, item, result))
            elif not input_message.quiet:
                answer.deleted.append(_deleted(item, result))
        return answer

    async def _check_deletion(self, call: RpcCall, bucket: Bucket, item: pb.ObjectIdentifier) -> None:
        object_key(item.key, limit=self._context.store.limits.max_key_bytes)
        resource = Resource(bucket.org_id, bucket.project_id, bucket.name, item.key)
        facts = {VERSION_ID: optional(item, "version_id")}
        await self._context.gate.authorise(call, call.operation, resource, facts)

    def _failure(self, call: RpcCall, item: pb.ObjectIdentifier, error: Exception) -> pb.DeleteError:
        if not isinstance(error, StoreError):
            logger.error(
                "deleting one of several objects failed", extra={"request_id": call.request_id}, exc_info=error
            )
        told = self._context.explain(error)
        return pb.DeleteError(
            key=item.key,
            version_id=optional(item, "version_id"),
            code=told.code,
            message=told.message,
            status=StatusCode[told.grpc],
        )


def _deleted(item: pb.ObjectIdentifier, deleted: Deleted) -> pb.DeletedObject:
    return pb.DeletedObject(
        key=item.key,
        version_id=optional(item, "version_id"),
        delete_marker=deleted.delete_marker,
        delete_marker_version_id=deleted.version_id if deleted.delete_marker else None,
    )


def _check_directives(message: pb.CopyObjectRequest) -> None:
    """Whether the directives and what stands beside them agree, and something changes.

    Raises:
        InvalidArgument: a directive of no meaning. InvalidRequest
    """
    for field in ("metadata_directive", "tagging_directive"):
        if getattr(message, field) not in pb.CopyDirective.values():
            raise InvalidArgument(f"{field} has no value {getattr(message, field)}", field)
    given = {field.name for field, _ in message.ListFields()}
    if message.metadata_directive != _REPLACE and not given.isdisjoint(_DESCRIBING):
        described = ", ".join(sorted(given.intersection(_DESCRIBING)))
        raise InvalidRequest(f"{described}: given for a copy whose metadata_directive is not REPLACE.")
    if message.tagging_directive != _REPLACE and message.tags:
        raise InvalidRequest("tags: given for a copy whose tagging_directive is not REPLACE.")
    if (
        (message.source_bucket, message.source_key) == (message.bucket, message.key)
        and not message.HasField("source_version_id")
        and given.isdisjoint(("storage_class", "checksum_algorithm"))
        and _REPLACE not in (message.metadata_directive, message.tagging_directive)
    ):
        raise InvalidRequest(
            "This copy request is illegal because it is trying to copy an object to itself without changing the"
            " object's metadata, storage class, website redirect location or encryption attributes."
        )


def _copy_draft(call: RpcCall, message: pb.CopyObjectRequest, found: Found) -> ObjectDraft:
    """The new object: by the directives either as the source was or as the request says."""
    source = found.version
    algorithm = algorithm_of(message.checksum_algorithm) or (source.checksum.algorithm if source.checksum else None)
    wanted = draft_of(call, message, algorithm)
    described = message.metadata_directive == _REPLACE
    return ObjectDraft(
        wanted.owner,
        wanted.content_type if described else source.content_type,
        wanted.headers if described else source.headers,
        wanted.metadata if described else source.metadata,
        wanted.tags if message.tagging_directive == _REPLACE else source.tags,
        wanted.storage_class,
        algorithm,
    )
