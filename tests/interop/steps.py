"""What every client is asked to do: one table, the rows of the matrix.

A client's driver has one function a step, of the step's name; `tests/interop/clients/driver_protocol.py` says how it
reports. The names are shared by drivers in five languages, so they are plain words.
"""

from __future__ import annotations

from attrs import frozen

__all__ = ["STEPS", "Step"]


@frozen
class Step:
    """One row of the matrix."""

    name: str
    shows: str


STEPS = (
    Step("create_bucket", "creates a bucket and finds it among its buckets"),
    Step("put_get_empty", "puts and gets an object of 0 bytes; the ETag is the MD5 where the client shows it"),
    Step("put_get_1_byte", "the same with 1 byte"),
    Step("put_get_64k", "the same with 64 KiB − 1, 64 KiB and 64 KiB + 1"),
    Step("put_get_8m", "the same with 8 MiB − 1, 8 MiB and 8 MiB + 1"),
    Step("multipart_100m", "100 MiB up in parts and down again; the ETag is the one of its parts, `-N`"),
    Step("ranges", "first, middle, last and suffix bytes; a range past the end is refused"),
    Step("metadata", "content type, cache control and user metadata come back"),
    Step("odd_keys", "puts, gets, lists and deletes keys with space, +, %, unicode and punctuation"),
    Step("slash_keys", "the same with `//`, a slash at the start and end, `.` and `..`"),
    Step("control_keys", "the same with control characters"),
    Step("list_odd_keys", "lists 2,400 such odd keys, all and in order, over several pages"),
    Step("list_slash_keys", "lists 60 keys with `//`, `.`, `..` and slashes at the end"),
    Step("list_control_keys", "lists 40 keys with control characters"),
    Step("list_folders", "lists with a prefix and `/` as the delimiter: keys and folders"),
    Step("copy", "copies on the server, within a bucket and to another, from a key with odd characters"),
    Step("delete_batch", "deletes 60 keys, odd ones among them, as many in one request as the client does"),
    Step("tags", "sets, reads and removes the tags of an object and of a bucket"),
    Step("versions", "turns versioning on, reads an old version, deletes by a marker, removes the marker"),
    Step("presign_get", "presigns a GET that curl makes; one changed character is refused"),
    Step("presign_put", "presigns a PUT that curl makes"),
    Step("conditional_writes", "creates only if absent, replaces only if unchanged; 412 otherwise"),
    Step("delete_bucket", "empties and deletes its buckets; they are gone"),
)
