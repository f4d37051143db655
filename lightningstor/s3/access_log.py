"""S3's own server access logs: what was asked of a bucket, delivered as objects into another bucket.

One line a request, in S3's format (S3 User Guide, "Amazon S3 server access log format"); many lines an object. As at
S3 this is delivery at best effort: lines wait in memory, and a crash loses them. (The audit log is what does not lose.)
Deliveries go to the store directly, so that a bucket which is its own target gets no line for them.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from attrs import define, field

from lightningstor.errors import AccessDenied, NoSuchBucket
from lightningstor.model.records import Bucket, BucketLogging, Owner
from lightningstor.observe.logs import redactor
from lightningstor.observe.record import OperationRecord
from lightningstor.ports import World
from lightningstor.s3.settings import AccessLogLimits
from lightningstor.store.api import ObjectDraft, WriteConditions
from lightningstor.store.sources import BytesSource
from lightningstor.store.store import Store

if TYPE_CHECKING:
    from lightningstor.s3.call import Call

__all__ = ["LOG_DELIVERY", "AccessLog", "line_of"]

_log: Final = logging.getLogger(__name__)

LOG_DELIVERY: Final = Owner(
    "log-delivery", "3272ee65a908a7677109fedda345db8d9554ba26398b2ca10581de88777e2b61", "s3-log-service"
)
"""Who the delivered objects belong to: the group of S3's that delivers logs, by its canonical id."""

_WORDS: Final = {
    "CopyObject": "COPY.OBJECT",
    "UploadPartCopy": "COPY.PART",
    "UploadPart": "PUT.PART",
    "CreateMultipartUpload": "POST.UPLOADS",
    "CompleteMultipartUpload": "POST.UPLOAD",
    "AbortMultipartUpload": "DELETE.UPLOAD",
    "ListParts": "GET.UPLOAD",
    "ListMultipartUploads": "GET.UPLOADS",
    "ListObjectVersions": "GET.BUCKETVERSIONS",
    "DeleteObjects": "POST.MULTI_OBJECT_DELETE",
    "GetObjectTagging": "GET.OBJECT_TAGGING",
    "PutObjectTagging": "PUT.OBJECT_TAGGING",
    "DeleteObjectTagging": "DELETE.OBJECT_TAGGING",
    "GetObjectAttributes": "GET.OBJECT_ATTRIBUTES",
    "GetObjectAcl": "GET.ACL",
    "GetBucketAcl": "GET.ACL",
    "GetBucketLocation": "GET.LOCATION",
    "GetBucketVersioning": "GET.VERSIONING",
    "PutBucketVersioning": "PUT.VERSIONING",
    "GetBucketTagging": "GET.TAGGING",
    "PutBucketTagging": "PUT.TAGGING",
    "DeleteBucketTagging": "DELETE.TAGGING",
    "GetBucketLogging": "GET.LOGGING_STATUS",
    "PutBucketLogging": "PUT.LOGGING_STATUS",
}
"""S3's names where they are not method and kind of resource."""


def line_of(call: Call, record: OperationRecord, bucket: Bucket, now_ms: int) -> str:
    """The line of one request, with its end. What S3 knows and this store does not is a hyphen."""
    milliseconds = int(record.seconds * 1000)
    began = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime((now_ms - milliseconds) // 1000))
    headers, principal = call.headers, call.principal
    target = call.raw_path + (b"?" + call.raw_query if call.raw_query else b"")
    signature = authentication = "-"
    if record.authentication is not None:
        signature = "SigV4" if call.signed is not None else "SigV2"
        authentication = "QueryString" if record.authentication == "presigned" else "AuthHeader"
    resource = "OBJECT" if call.key is not None else "BUCKET"
    fields = (
        bucket.created_by.canonical_id,
        bucket.name,
        f"[{began}]",
        record.client or "-",
        "-" if principal is None else principal.canonical_id,
        call.request_id,
        "REST." + _WORDS.get(call.operation_name, f"{call.method}.{resource}"),
        # S3 encodes a key twice: once for the URL, and that for the log.
        "-" if call.key is None else quote(quote(call.key, safe="/~"), safe="/~"),
        _quoted(f"{call.method} {redactor.clean(target.decode('latin-1'))} HTTP/1.1"),
        str(record.status or "-"),
        record.code or "-",
        str(record.bytes_out or "-"),
        "-" if record.object_size is None else str(record.object_size),
        str(milliseconds),
        "-",
        _header(headers.get(b"referer")),
        _header(headers.get(b"user-agent")),
        record.version_id or "-",
        call.endpoint.host_id,
        signature,
        "-",
        authentication,
        headers.get(b"host", b"-").decode("latin-1"),
        "-",
        "-",
        "-",
    )
    return " ".join(fields) + "\n"


def _header(raw: bytes | None) -> str:
    return '"-"' if raw is None else _quoted(redactor.clean(raw.decode("latin-1")))


def _quoted(text: str) -> str:
    """In quotation marks that nothing within can close."""
    return f'"{quote(text, safe=_PLAIN)}"'


_PLAIN: Final = "".join(chr(code) for code in range(32, 127) if chr(code) not in '"\\')


@define
class _Batch:
    """Lines of one bucket; `name` is as the store takes it."""

    name: str
    began_s: float
    lines: list[str] = field(factory=list)
    size: int = 0


class AccessLog:
    """Gathers lines by bucket and delivers them.

    Attributes:
        delivered, dropped: lines that were, and those that had to be.
    """

    def __init__(self, store: Store, world: World, limits: AccessLogLimits | None = None) -> None:
        self._store = store
        self._world = world
        self._limits = limits or AccessLogLimits()
        self._batches: dict[str, _Batch] = {}  # by the bucket's id: names may be scoped
        self._size = 0
        self.delivered = 0
        self.dropped = 0

    def add(self, call: Call, record: OperationRecord, bucket: Bucket) -> None:
        """A request for the bucket, which has logging on, has ended."""
        line = line_of(call, record, bucket, self._world.clock.now_ms())
        if self._size + len(line) > self._limits.waiting_bytes:
            self.dropped += 1
            return
        batch = self._batches.get(bucket.bucket_id)
        if batch is None:
            name = self._store.buckets.reference(bucket)
            batch = self._batches[bucket.bucket_id] = _Batch(name, self._world.clock.monotonic())
        batch.lines.append(line)
        batch.size += len(line)
        self._size += len(line)

    async def deliver(self, *, everything: bool = False) -> int:
        """Deliver what is due; how many lines. What fails is tried again at the next call.

        Args:
            everything: also what is not due yet.
        """
        now, limits = self._world.clock.monotonic(), self._limits
        done = 0
        for bucket_id, batch in list(self._batches.items()):
            if everything or batch.size >= limits.object_bytes or now - batch.began_s >= limits.interval_s:
                del self._batches[bucket_id]
                dealt_with = False
                try:
                    await self._deliver(batch)
                    self.delivered += len(batch.lines)
                    done += len(batch.lines)
                    dealt_with = True
                except (NoSuchBucket, AccessDenied) as error:
                    self.dropped += len(batch.lines)
                    _log.warning("access logs of bucket %s cannot be delivered: %s", batch.name, error)
                    dealt_with = True
                finally:
                    if dealt_with:
                        self._size -= batch.size
                    else:  # failed or cancelled
                        self._put_back(bucket_id, batch)
        return done

    def _put_back(self, bucket_id: str, batch: _Batch) -> None:
        later = self._batches.get(bucket_id)
        if later is not None:
            batch.lines += later.lines
            batch.size += later.size
        self._batches[bucket_id] = batch

    async def _deliver(self, batch: _Batch) -> None:
        """Write an object of lines to where the bucket's logs go now.

        Raises:
            NoSuchBucket: the bucket or its target is gone. AccessDenied: the target is no longer the same owner's.
        """
        buckets = self._store.buckets
        source = await buckets.get(batch.name)
        wanted = source.logging
        if wanted is None:
            return
        named = await buckets.resolve(wanted.target_bucket, source.org_id, source.project_id)
        target = await buckets.get(named)
        if target.org_id != source.org_id:
            raise AccessDenied(f"{target.name} does not belong to the owner of {source.name}")
        await self._store.puts.put(
            named,
            self._key(source, wanted),
            ObjectDraft(LOG_DELIVERY, content_type="text/plain"),
            BytesSource("".join(batch.lines).encode()),
            WriteConditions(),
        )

    def _key(self, source: Bucket, wanted: BucketLogging) -> str:
        moment = time.gmtime(self._world.clock.now_ms() // 1000)
        unique = self._world.entropy.token_bytes(8).hex().upper()
        name = f"{time.strftime('%Y-%m-%d-%H-%M-%S', moment)}-{unique}"
        if wanted.partitioned is None:
            return f"{wanted.target_prefix}{name}"
        day = time.strftime("%Y/%m/%d", moment)
        return f"{wanted.target_prefix}{source.org_id}/{source.region}/{source.name}/{day}/{name}"
