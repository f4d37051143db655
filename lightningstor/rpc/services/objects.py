"""lightningstor.v1.ObjectService."""

from __future__ import annotations

import purerpc

from lightningstor.rpc.gen.object_service_grpc import ObjectServiceServicer
from lightningstor.rpc.services.context import ServiceContext, service_of
from lightningstor.rpc.services.listing import Listing
from lightningstor.rpc.services.multipart import Multipart
from lightningstor.rpc.services.reading import Reading
from lightningstor.rpc.services.writing import Writing

__all__ = ["MESSAGE_HINTS", "ObjectService"]

MESSAGE_HINTS = {
    "/lightningstor.v1.ObjectService/PutObject": (
        "; an object that does not fit in a message takes a multipart upload: CreateMultipartUpload, UploadPart,"
        " CompleteMultipartUpload"
    ),
    "/lightningstor.v1.ObjectService/UploadPart": "; send the part in more messages",
}
"""What helps where a message is too large."""


class ObjectService(Reading, Writing, Listing, Multipart):
    """The 14 RPCs on objects."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context

    @property
    def service(self) -> purerpc.Service:
        return service_of(ObjectServiceServicer, self)
