"""Refusing a body that no quota would let in, before a byte of it is asked for.

Advice only, by the announced length and the counters of this moment: it saves the upload. The commit decides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from lightningstor.model import keys
from lightningstor.model.codec import OBJECT_VERSION, UPLOAD_PART
from lightningstor.model.records import DISABLED, ENABLED
from lightningstor.store.catalog import Located
from lightningstor.store.context import StoreContext
from lightningstor.store.publish import decode_current
from lightningstor.store.usage import Account, Ceiling

__all__ = ["check_announced_object", "check_announced_part"]

_Counted = tuple[int, int]
"""Objects and bytes."""


async def check_announced_object(
    ctx: StoreContext, located: Located, account: Account, key: str, size: int | None
) -> None:
    """Whether an object of `size` bytes (None: not announced) may become the key's current version.

    Raises:
        QuotaExceeded
    """

    async def replaced() -> _Counted:
        return await _replaced_object(ctx, located, key)

    await _check(ctx, account, (1, size or 0), replaced)


async def check_announced_part(
    ctx: StoreContext, account: Account, upload_id: str, number: int, size: int | None
) -> None:
    """Whether a part of `size` bytes may be taken.

    Raises:
        QuotaExceeded
    """

    async def replaced() -> _Counted:
        row = await ctx.kv.get(keys.part(upload_id, number))
        return 0, 0 if row is None else UPLOAD_PART.decode(row.value, row.key).size

    await _check(ctx, account, (0, size or 0), replaced)


async def _check(
    ctx: StoreContext, account: Account, new: _Counted, replaced: Callable[[], Awaitable[_Counted]]
) -> None:
    rows = await ctx.kv.get_many(list(account.ceilings))
    counts = {row.key: int(row.value) for row in rows if row is not None}
    if _met(account, counts, new) is None:
        return
    old = await replaced()
    ceiling = _met(account, counts, (new[0] - old[0], new[1] - old[1]))
    if ceiling is not None:
        raise ceiling.exceeded()


def _met(account: Account, counts: Mapping[bytes, int], more: _Counted) -> Ceiling | None:
    """The ceiling that the counters would go over."""
    for add in account.adds(*more):
        if add.ceiling is not None and add.delta > 0 and counts.get(add.key, 0) + add.delta > add.ceiling:
            return account.ceilings[add.key]
    return None


async def _replaced_object(ctx: StoreContext, located: Located, key: str) -> _Counted:
    """What a new current version would take the place of."""
    bucket = located.bucket
    if bucket.versioning == ENABLED:
        return 0, 0
    old = decode_current(await ctx.kv.get(located.object_key(key)))
    if bucket.versioning != DISABLED and not (old is not None and old.is_null):
        old = None
        pointer = await ctx.kv.get(keys.null_pointer(bucket.org_id, bucket.bucket_id, key))
        if pointer is not None:
            row = await ctx.kv.get(keys.version(bucket.org_id, bucket.bucket_id, key, pointer.value.decode()))
            old = None if row is None else OBJECT_VERSION.decode(row.value, row.key)
    return (0, 0) if old is None or old.delete_marker else (1, old.size)
