"""Which bytes of an object a reader wants: in which state it must be, and a range or a part of it."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field

from lightningstor.errors import InvalidPartNumber
from lightningstor.store.api import PartSlice, ReadPlan
from lightningstor.store.find import Finder, Found
from lightningstor.store.reading import OpenObject, Reads

__all__ = ["Selection"]


@define
class Selection:
    """A reader's wish, held against what the store finds. Good for one read.

    Args:
        check: raises unless the object is in the state that the reader wants.
        range_of: the range that the reader wants; None: the whole object. Not asked if a part is wanted.
        part_number: of the part that is wanted.

    Attributes:
        part: the part found.
        partial: a range or a part is read, and not the whole object.
    """

    finder: Finder
    reads: Reads
    check: Callable[[Found], None]
    range_of: Callable[[Found], ReadPlan | None]
    part_number: int | None = None
    part: PartSlice | None = field(default=None, init=False)
    partial: bool = field(default=False, init=False)
    _part_of: str | None = field(default=None, init=False)
    _stale: bool = field(default=False, init=False)

    async def open(self, bucket: str, key: str, version_id: str | None) -> OpenObject:
        """Open the object for reading what is wanted of it.

        Raises:
            What `Reads.open`, `check` and `range_of` raise; InvalidPartNumber.
        """
        while True:
            await self._look_up_part(bucket, key, version_id)
            opened = await self.reads.open(bucket, key, version_id, self._plan)
            if not self._stale:
                return opened
            await opened.aclose()

    async def find(self, bucket: str, key: str, version_id: str | None) -> tuple[Found, ReadPlan]:
        """What `open` would open, and which bytes it would read.

        Raises:
            What `Finder.find`, `check` and `range_of` raise; InvalidPartNumber.
        """
        while True:
            await self._look_up_part(bucket, key, version_id)
            found = await self.finder.find(bucket, key, version_id)
            plan = self._plan(found) or ReadPlan(0, found.version.size)
            if not self._stale:
                return found, plan

    async def _look_up_part(self, bucket: str, key: str, version_id: str | None) -> None:
        number = self.part_number
        if number is None:
            return
        most = self.reads.ctx.limits.max_parts
        if not 1 <= number <= most:
            raise InvalidPartNumber(number, most)
        found = await self.finder.find(bucket, key, version_id)
        self.check(found)
        self.part = await self.reads.part_slice(found.version, number)
        self._part_of = found.version.version_id

    def _plan(self, found: Found) -> ReadPlan | None:
        """The bytes to read of what was found; None: all. Notes whether the object was replaced meanwhile."""
        self.check(found)
        if self.part is not None:
            self._stale = found.version.version_id != self._part_of
            self.partial = True
            return ReadPlan(0, 0) if self._stale else ReadPlan(self.part.offset, self.part.length)
        wanted = self.range_of(found)
        self.partial = wanted is not None
        return wanted
