"""Who calls the admin API: SigV4 in the Authorization header, as S3 has it, with the body's hash signed.

The secret never travels, an access key of S3 is all that a caller needs, and every S3 SDK's signer can be used.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256

from lightningstor.admin.services import AdminServices
from lightningstor.iam.principal import Principal
from lightningstor.s3.wire import sigv4
from lightningstor.s3.wire.faults import InvalidAccessKeyId, MissingAuthentication, XAmzContentSHA256Mismatch

__all__ = ["authenticate"]


def authenticate(
    services: AdminServices,
    method: str,
    raw_path: bytes,
    raw_query: bytes,
    headers: Mapping[bytes, bytes],
    body: bytes,
) -> Principal:
    """The caller.

    Args:
        method: in capitals. raw_path, raw_query: undecoded.
        headers: by lower-case name.
        body: whole.

    Raises:
        MissingAuthentication: no credentials. Unauthenticated: a token that is not good.
        InvalidAccessKeyId, SignatureDoesNotMatch, XAmzContentSHA256Mismatch, and the other faults of signatures.
    """
    authorization = headers.get(b"authorization")
    if authorization is None:
        raise MissingAuthentication()
    if authorization[:7].lower() == b"bearer ":
        return services.callers.by_bearer(authorization[7:].strip().decode("latin-1"))
    signed = sigv4.parse_authorization(headers)
    credential = services.credentials.find(signed.access_key_id)
    if credential is None:
        raise InvalidAccessKeyId(signed.access_key_id)
    sigv4.verify(
        signed,
        method,
        raw_path,
        raw_query,
        headers,
        credential.secret,
        services.world.clock.now_ms(),
        region=services.region,
        max_skew_ms=services.clock_skew_ms,
    )
    computed = sha256(body).hexdigest()
    if not hmac.compare_digest(computed.encode(), signed.payload_hash.encode("latin-1", "replace")):
        raise XAmzContentSHA256Mismatch(signed.payload_hash, computed)
    return credential.principal
