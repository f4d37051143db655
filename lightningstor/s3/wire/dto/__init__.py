"""Requests and answers of the S3 operations that are implemented, and the structures in them.

A class bears the name of its shape in S3's service model, an attribute its member's in snake case (`ContentMD5` →
`content_md5`, `ETag` → `etag`); the bucket and the key of a request are `bucket` and `key`. Everything optional
defaults to None; everything is by keyword. Times in requests are the text that was sent, in answers milliseconds.
"""

from lightningstor.s3.wire.dto import buckets, listing, multipart, objects, shared
from lightningstor.s3.wire.dto.buckets import *  # noqa: F403
from lightningstor.s3.wire.dto.listing import *  # noqa: F403
from lightningstor.s3.wire.dto.members import Dto, Location, Member, Refusal
from lightningstor.s3.wire.dto.multipart import *  # noqa: F403
from lightningstor.s3.wire.dto.objects import *  # noqa: F403
from lightningstor.s3.wire.dto.shared import *  # noqa: F403

__all__ = ["Dto", "Location", "Member", "Refusal"]
__all__ += buckets.__all__
__all__ += listing.__all__
__all__ += multipart.__all__
__all__ += objects.__all__
__all__ += shared.__all__
