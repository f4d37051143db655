"""What undoing aws-chunked costs beside the hashing that it cannot do without: CPU for a body of 32 MiB.

    python -m tests.bench.aws_chunked

Bars: chunks of 64 KiB whose signatures are checked cost at most 15% more than their SHA-256 at 1.2 GB/s; an unsigned
chunk a few µs, whatever its size. Least of several rounds; pin it to one core.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from random import Random
from time import process_time

from lightningstor.s3.wire.chunked import AwsChunkedDecoder, ChunkVerifier
from lightningstor.s3.wire.signing_key import signing_key

CONTENT = Random(1).randbytes(32 << 20)
ROUNDS, PIECE = 9, 1 << 20
DATE, SCOPE, SEED = "20260102T030405Z", "20260102/us-east-1/s3/aws4_request", "0" * 64
KEY = signing_key(b"secret", "20260102", "us-east-1")
EMPTY = sha256(b"").hexdigest()


def _framed(size: int, *, signed: bool) -> bytes:
    out, previous = [], SEED
    for at in range(0, len(CONTENT) + 1, size):
        chunk = CONTENT[at : at + size]
        extension = ""
        if signed:
            covered = f"{EMPTY}\n{sha256(chunk).hexdigest()}"
            previous = KEY.sign(f"AWS4-HMAC-SHA256-PAYLOAD\n{DATE}\n{SCOPE}\n{previous}\n{covered}".encode())
            extension = f";chunk-signature={previous}"
        out += (f"{len(chunk):x}{extension}\r\n".encode(), chunk, b"\r\n")
    return b"".join(out)


def _least_s(work: Callable[[], None]) -> float:
    costs = []
    for _ in range(ROUNDS):
        started = process_time()
        work()
        costs.append(process_time() - started)
    return min(costs)


def _decode(body: bytes, *, signed: bool) -> Callable[[], None]:
    pieces = [body[at : at + PIECE] for at in range(0, len(body), PIECE)]

    def work() -> None:
        verifier = ChunkVerifier(KEY, "AKIA", DATE, SCOPE, SEED) if signed else None
        decoder = AwsChunkedDecoder(len(CONTENT), verifier)
        for piece in pieces:
            decoder.feed(piece)
        decoder.finish()

    return work


def _hash(size: int) -> Callable[[], None]:
    def work() -> None:
        for at in range(0, len(CONTENT), size):
            sha256(memoryview(CONTENT)[at : at + size]).hexdigest()

    return work


def main() -> None:
    for size in (64 << 10, 1 << 20):
        hashing = _least_s(_hash(size))
        signed = _least_s(_decode(_framed(size, signed=True), signed=True))
        unsigned = _least_s(_decode(_framed(size, signed=False), signed=False))
        chunks = len(CONTENT) // size
        print(
            f"chunks of {size >> 10:4} KiB: hashing {hashing * 1000:5.1f} ms, signed {signed * 1000:5.1f} ms "
            f"(+{(signed - hashing) / chunks * 1e6:.1f} µs a chunk), unsigned {unsigned / chunks * 1e6:.1f} µs a chunk"
        )


if __name__ == "__main__":
    main()
