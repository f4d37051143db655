"""The actions that the authorizer is asked about: those of SPEC.md §7.3, and others of the same form."""

from __future__ import annotations

from typing import Final

__all__ = [
    "BUCKETS_CREATE",
    "BUCKETS_DELETE",
    "BUCKETS_GET",
    "BUCKETS_LIST",
    "BUCKETS_UPDATE",
    "OBJECTS_COPY",
    "OBJECTS_DELETE",
    "OBJECTS_GET",
    "OBJECTS_LIST",
    "OBJECTS_PUT",
    "UPLOADS_ABORT",
    "UPLOADS_COMPLETE",
    "UPLOADS_CREATE",
    "UPLOADS_LIST",
]

BUCKETS_LIST: Final = "lightningstor:buckets:list"
BUCKETS_CREATE: Final = "lightningstor:buckets:create"
BUCKETS_GET: Final = "lightningstor:buckets:get"
BUCKETS_UPDATE: Final = "lightningstor:buckets:update"
BUCKETS_DELETE: Final = "lightningstor:buckets:delete"
OBJECTS_LIST: Final = "lightningstor:objects:list"
OBJECTS_GET: Final = "lightningstor:objects:get"
OBJECTS_PUT: Final = "lightningstor:objects:put"
OBJECTS_COPY: Final = "lightningstor:objects:copy"
OBJECTS_DELETE: Final = "lightningstor:objects:delete"
UPLOADS_CREATE: Final = "lightningstor:uploads:create"
UPLOADS_COMPLETE: Final = "lightningstor:uploads:complete"
UPLOADS_ABORT: Final = "lightningstor:uploads:abort"
UPLOADS_LIST: Final = "lightningstor:uploads:list"
