"""The rows in which a multipart object's parts are listed, and how none of them is ever left behind.

They are written before the object is published, in commits of their own. So the upload's record names them from the
moment its parts are frozen: whoever takes the upload further after a crash (a completion, an abort, the scrubber)
removes them in the commit by which the record ceases to name them.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from lightningstor.model import keys
from lightningstor.model.records import MultipartUpload

__all__ = ["SEGMENT_PARTS", "part_list_rows", "thawed"]

SEGMENT_PARTS: Final = 1000
_SEGMENTS_MAX: Final = 10
"""10,000 parts, S3's limit, which the configuration can only lower."""


def part_list_rows(upload: MultipartUpload) -> list[bytes]:
    """All rows that a list which the upload's record names can have; not all need be there."""
    if upload.part_list is None:
        return []
    data_id = int(upload.part_list, 16)
    return [keys.manifest(data_id, segment) for segment in range(_SEGMENTS_MAX)]


def thawed(upload: MultipartUpload) -> MultipartUpload:
    """The record of an upload that is not being completed, and names no list."""
    return replace(upload, status="InProgress", completing_boot=None, part_list=None)
