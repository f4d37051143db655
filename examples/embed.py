"""A store inside a program: no server, no network. Run it with a directory to keep the objects in, or without.

python examples/embed.py [DIRECTORY]
"""

import sys

import trio

import lightningstor
from lightningstor.errors import NoSuchKey
from lightningstor.model.records import Owner
from lightningstor.store.api import ObjectDraft, WriteConditions
from lightningstor.store.sources import BytesSource

ME = Owner(principal_id="example", canonical_id="0" * 64, display_name="Example")


async def main(directory: str | None) -> None:
    async with lightningstor.open(directory) as store:
        await store.buckets.create("notes", ME, org_id="default", project_id=None, region="us-east-1")

        draft = ObjectDraft(ME, content_type="text/plain", metadata={"mood": "good"})
        written = await store.puts.put("notes", "hello.txt", draft, BytesSource(b"Hello"), WriteConditions())
        print("etag", written.version.etag)

        opened = await store.reads.open("notes", "hello.txt", None, lambda found: None)
        print("content", bytes(opened.first).decode())
        await opened.aclose()

        # Only one writer can create a key: this one comes second.
        try:
            again = WriteConditions(if_none_match=True)
            await store.puts.put("notes", "hello.txt", draft, BytesSource(b"Other"), again)
        except lightningstor.errors.PreconditionFailed as refused:
            print("refused", refused.condition)

        # A put that is cancelled leaves the old object or the new one, and no byte besides.
        with trio.CancelScope() as scope:
            scope.cancel()
            await store.puts.put("notes", "never.txt", draft, BytesSource(bytes(10 << 20)), WriteConditions())
        try:
            await store.objects.find("notes", "never.txt")
        except NoSuchKey:
            print("cancelled: nothing there")


trio.run(main, sys.argv[1] if len(sys.argv) > 1 else None)
