"""What a request says of the object that it makes."""

from __future__ import annotations

from lightningstor.s3.call import Call
from lightningstor.s3.handlers.shapes import tags_of_header
from lightningstor.s3.wire import dto
from lightningstor.s3.wire.payload import stored_content_encoding
from lightningstor.store.api import DEFAULT_CONTENT_TYPE, ObjectDraft
from lightningstor.store.storage_classes import storage_class_of

__all__ = ["draft_of", "kept_headers"]


def draft_of(call: Call, request: dto.NewObjectRequest, checksum_algorithm: str | None) -> ObjectDraft:
    """The new object but for its bytes.

    Args:
        checksum_algorithm: S3's name of the checksum that came with the request, or that it asks for.

    Raises:
        UnsupportedStorageClass, InvalidArgument
    """
    return ObjectDraft(
        call.principal.owner,
        request.content_type or DEFAULT_CONTENT_TYPE,
        kept_headers(request),
        request.metadata or None,
        tags_of_header(request.tagging),
        storage_class_of(request.storage_class),
        checksum_algorithm,
    )


def kept_headers(request: dto.NewObjectRequest) -> dict[str, str] | None:
    """The standard headers that every read of the object repeats, by lower-case name."""
    headers: dict[str, str] = {}
    if request.cache_control is not None:
        headers["cache-control"] = request.cache_control
    if request.content_disposition is not None:
        headers["content-disposition"] = request.content_disposition
    if request.content_encoding is not None:
        encoding = stored_content_encoding(request.content_encoding)
        if encoding is not None:
            headers["content-encoding"] = encoding
    if request.content_language is not None:
        headers["content-language"] = request.content_language
    if request.expires is not None:
        headers["expires"] = request.expires
    return headers or None
