"""What checking a signature costs: parsing and verifying a header-signed GET, CPU per request.

    python -m tests.bench.sigv4_verify

Bar: 9 µs (DESIGN.md §8: a signed 4 KiB GET costs 70 µs in all). Least of several rounds; pin it to one core.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from hashlib import sha256
from time import process_time

from lightningstor.s3.wire import sigv4
from lightningstor.s3.wire.dates import parse_amz_time
from lightningstor.s3.wire.signer import Signer, presign, sign_headers

SIGNER = Signer("AKIAIOSFODNN7EXAMPLE", b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1")
NOW_MS = parse_amz_time("20260102T030405Z")
PATH = b"/bench-bucket/objects/key-000123.bin"
ROUNDS, CALLS = 15, 5_000


def _cost_us(request: tuple[str, bytes, bytes, dict[bytes, bytes]]) -> float:
    method, path, query, headers = request
    parameters = dict(pair.split("=", 1) for pair in query.decode().replace("%2F", "/").split("&")) if query else {}

    def once() -> None:
        signed = (
            sigv4.parse_authorization(headers)
            if b"authorization" in headers
            else sigv4.parse_presigned(parameters, headers)
        )
        sigv4.verify(signed, method, path, query, headers, SIGNER.secret, NOW_MS, region="us-east-1")

    once()
    return _least_us(once)


def _least_us(work: Callable[[], object]) -> float:
    return min(timeit.repeat(work, timer=process_time, number=CALLS, repeat=ROUNDS)) / CALLS * 1e6


def _requests() -> dict[str, tuple[str, bytes, bytes, dict[bytes, bytes]]]:
    host = {b"host": b"127.0.0.1:9000"}
    plain = {**host, b"user-agent": b"Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux", b"accept-encoding": b"identity"}
    odd = b"/bench-bucket/a%20key%20with/%C3%A9%C3%A8"
    url = presign(SIGNER, "GET", PATH, b"", b"127.0.0.1:9000", NOW_MS, 3600)
    return {
        "GET, 3 signed headers": ("GET", PATH, b"", sign_headers(SIGNER, "GET", PATH, b"", plain, NOW_MS)),
        "GET, escapes in the path": ("GET", odd, b"", sign_headers(SIGNER, "GET", odd, b"", plain, NOW_MS)),
        "LIST, 3 parameters": (
            "GET",
            b"/bench-bucket",
            b"list-type=2&prefix=objects&encoding-type=url",
            sign_headers(
                SIGNER, "GET", b"/bench-bucket", b"list-type=2&prefix=objects&encoding-type=url", plain, NOW_MS
            ),
        ),
        "GET, presigned": ("GET", PATH, url.partition(b"?")[2], host),
    }


def main() -> None:
    text = bytes(330)
    hashing = _least_us(lambda: sha256(text).hexdigest())
    print(f"{'(SHA-256 of 330 bytes)':28} {hashing:6.2f} µs; 0.7 when the bar was set")
    for name, request in _requests().items():
        print(f"{name:28} {_cost_us(request):6.2f} µs")


if __name__ == "__main__":
    main()
