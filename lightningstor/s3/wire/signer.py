"""The client's side of Signature Version 4: presigned URLs for the console and the command line, signed requests.

Built on the same canonical forms as `sigv4.verify`; the tests hold both against botocore.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from attrs import field, frozen

from lightningstor.s3.wire import sigv4
from lightningstor.s3.wire.dates import amz_time
from lightningstor.s3.wire.signing_key import SigningKey, signing_key

__all__ = ["Signer", "presign", "sign_headers"]

_SIGNED: frozenset[bytes] = frozenset({b"host", b"content-type", b"content-md5", b"date", b"range"})
"""Signed besides x-amz-*: what means something to S3 and what no proxy on the way changes."""


@frozen
class Signer:
    """An access key and the region that it signs for."""

    access_key_id: str
    secret: bytes = field(repr=False)
    region: str = "us-east-1"

    def key(self, now_ms: int) -> SigningKey:
        """The signing key of the day."""
        return signing_key(self.secret, amz_time(now_ms)[:8], self.region)


def _signed(
    signer: Signer, names: list[bytes], now_ms: int, payload_hash: str, expires_s: int | None
) -> sigv4.SignedRequest:
    """What the request says of its signature, which is still empty."""
    amz_date = amz_time(now_ms)
    credential = sigv4.Credential.of(signer.access_key_id, amz_date[:8], signer.region, "s3", b";".join(names))
    return sigv4.SignedRequest(credential, "", amz_date, now_ms, payload_hash, expires_s)


def sign_headers(
    signer: Signer,
    method: str,
    raw_path: bytes,
    raw_query: bytes,
    headers: Mapping[bytes, bytes],
    now_ms: int,
    payload_hash: str = sigv4.EMPTY_SHA256,
) -> dict[bytes, bytes]:
    """The headers of a signed request: those given, with x-amz-date, x-amz-content-sha256 and authorization.

    Args:
        raw_path, raw_query: percent-encoded, as they will be sent.
        headers: by lower-case name, with host.
        payload_hash: hex SHA-256 of the body, or one of the words that take its place.
    """
    complete = {
        **headers,
        b"x-amz-date": amz_time(now_ms).encode(),
        b"x-amz-content-sha256": payload_hash.encode(),
    }
    names = sorted(name for name in complete if name in _SIGNED or name.startswith(b"x-amz-"))
    signed = _signed(signer, names, now_ms, payload_hash, None)
    canonical = sigv4.canonical_request(signed, method, raw_path, raw_query, complete)
    signature = signer.key(now_ms).sign(sigv4.string_to_sign(signed, canonical))
    complete[b"authorization"] = (
        f"{sigv4.ALGORITHM} Credential={signer.access_key_id}/{signed.scope},"
        f"SignedHeaders={signed.credential.listed.decode('latin-1')},Signature={signature}"
    ).encode()
    return complete


def presign(
    signer: Signer,
    method: str,
    raw_path: bytes,
    raw_query: bytes,
    host: bytes,
    now_ms: int,
    expires_s: int,
    headers: Mapping[bytes, bytes] | None = None,
) -> bytes:
    """Path and query of a URL that is good for `expires_s` seconds, for whoever has it.

    Args:
        raw_path, raw_query: percent-encoded.
        host: as the client will send it in the Host header.
        headers: further headers, by lower-case name, that the client will have to send as they are.

    Raises:
        ValueError: `expires_s` is not 1 to 604,800.
    """
    if not 1 <= expires_s <= sigv4.MAX_EXPIRES_S:
        raise ValueError(f"expires_s must be 1 to {sigv4.MAX_EXPIRES_S}, not {expires_s}")
    sent = {**(headers or {}), b"host": host}
    signed = _signed(signer, sorted(sent), now_ms, sigv4.UNSIGNED_PAYLOAD, expires_s)
    values = {
        "X-Amz-Algorithm": sigv4.ALGORITHM,
        "X-Amz-Credential": f"{signer.access_key_id}/{signed.scope}",
        "X-Amz-Date": signed.amz_date,
        "X-Amz-Expires": str(expires_s),
        "X-Amz-SignedHeaders": signed.credential.listed.decode("latin-1"),
    }
    query = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in values.items()).encode()
    if raw_query:
        query = raw_query + b"&" + query
    canonical = sigv4.canonical_request(signed, method, raw_path, query, sent)
    signature = signer.key(now_ms).sign(sigv4.string_to_sign(signed, canonical))
    return b"%b?%b&X-Amz-Signature=%b" % (raw_path, query, signature.encode())
