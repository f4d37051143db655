"""Where a bucket's server access logs go."""

from __future__ import annotations

from lightningstor.errors import AccessDenied, NoSuchBucket
from lightningstor.iam.authorize import Resource
from lightningstor.model.records import BucketLogging
from lightningstor.s3.call import Call
from lightningstor.s3.wire import dto
from lightningstor.s3.wire.faults import InvalidArgument
from lightningstor.s3.wire.refusals import InvalidTargetBucketForLogging

__all__ = ["get_bucket_logging", "put_bucket_logging"]

_PUT = "lightningstor:objects:put"
_DELIVERY_TIME = "DeliveryTime"


async def get_bucket_logging(call: Call, request: dto.GetBucketLoggingRequest) -> dto.GetBucketLoggingOutput:
    """Where they go; nothing while they go nowhere."""
    assert call.found is not None
    logging = call.found.logging
    if logging is None:
        return dto.GetBucketLoggingOutput()
    form = None
    if logging.partitioned is not None:
        partitioned = dto.PartitionedPrefix(partition_date_source=logging.partitioned)
        form = dto.TargetObjectKeyFormat(partitioned_prefix=partitioned)
    return dto.GetBucketLoggingOutput(
        logging_enabled=dto.LoggingEnabled(
            target_bucket=logging.target_bucket, target_prefix=logging.target_prefix, target_object_key_format=form
        )
    )


async def put_bucket_logging(call: Call, request: dto.PutBucketLoggingRequest) -> None:
    """Have them go to a bucket of the same owner, to which the caller may write; or nowhere."""
    wanted = request.bucket_logging_status.logging_enabled
    if wanted is None:
        await call.endpoint.store.buckets.set_logging(request.bucket, None)
        return
    form = wanted.target_object_key_format
    partitioned = None if form is None else form.partitioned_prefix
    if form is not None and (partitioned is None) == (form.simple_prefix is None):
        raise InvalidArgument("TargetObjectKeyFormat holds either SimplePrefix or PartitionedPrefix")
    await _check_target(call, wanted.target_bucket)
    date_source = None if partitioned is None else partitioned.partition_date_source or _DELIVERY_TIME
    if date_source not in (None, _DELIVERY_TIME):
        raise InvalidArgument("PartitionDateSource EventTime is not offered here; use DeliveryTime")
    logging = BucketLogging(wanted.target_bucket, wanted.target_prefix, date_source)
    await call.endpoint.store.buckets.set_logging(request.bucket, logging)


async def _check_target(call: Call, name: str) -> None:
    """S3's rules: it is there, and the same owner's; and the caller may write there, or logs would go round that.

    Where names are scoped it is looked up as from the bucket's own scope, whoever asks: so will the delivery.

    Raises:
        InvalidTargetBucketForLogging: it is not.
    """
    assert call.found is not None
    buckets, source = call.endpoint.store.buckets, call.found
    try:
        target = await buckets.get(await buckets.resolve(name, source.org_id, source.project_id))
        resource = Resource(target.org_id, target.project_id, target.name)
        await call.endpoint.authorizer.authorize(call.principal, _PUT, resource)
    except (NoSuchBucket, AccessDenied):
        raise InvalidTargetBucketForLogging(name) from None
    if target.org_id != source.org_id:
        raise InvalidTargetBucketForLogging(name)
