"""Bytes that have been received but are not yet referred to, and what becomes of them.

They are removed when the write fails or is cancelled, and kept when the commit that refers to them was applied or may
have been: then a row may point at them, and the scrubber decides after a restart.
"""

from __future__ import annotations

from types import TracebackType

import trio
from msgspec import Struct

from lightningstor.chunks.object_writer import ObjectWriter
from lightningstor.errors import CommitUndetermined, StoreError
from lightningstor.kv.api import Applied, Kv, Put, Txn, TxnConflict
from lightningstor.model.records import BodyRef, ObjectChecksum
from lightningstor.store.context import commit

__all__ = ["Staged", "commit_staged"]


class Staged(Struct):
    """One body, received, verified and sealed.

    As a context manager it removes its bytes at the end, unless a commit took them over.

    Args:
        body: where the bytes lie; None for an empty body.
        puts: the rows that the publishing transaction must write for it.
        md5: hex.
    """

    body: BodyRef | None
    size: int
    md5: str
    checksum: ObjectChecksum
    puts: list[Put] = []
    writer: ObjectWriter | None = None
    _committing: bool = False
    _published: bool = False

    def committing(self) -> None:
        """A transaction that refers to the bytes is on its way."""
        self._committing = True

    def settled(self, *, applied: bool) -> None:
        """It has ended."""
        self._committing = False
        self._published = applied

    async def __aenter__(self) -> Staged:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.writer is None:
            return
        if self._published or self._may_be_referred_to(error):
            self.writer.keep()
        else:
            await self.writer.abort()

    def _may_be_referred_to(self, error: BaseException | None) -> bool:
        """Whether the commit's end is unknown; by the Kv contract store errors and cancellation change nothing."""
        if isinstance(error, CommitUndetermined):
            return True
        return self._committing and not isinstance(error, StoreError | trio.Cancelled)


async def commit_staged(kv: Kv, txn: Txn, staged: Staged) -> Applied | TxnConflict:
    """Commit a transaction that refers to bytes staged outside of it.

    Raises:
        CommitUndetermined
    """
    staged.committing()
    outcome = await commit(kv, txn)
    staged.settled(applied=isinstance(outcome, Applied))
    return outcome
