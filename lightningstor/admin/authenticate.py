"""Who calls the admin API: SigV4 in the Authorization header, as S3 has it, with the body's hash signed.

The secret never travels, an access key of S3 is all that a caller needs, and every S3 SDK's signer can be used. Bearer
tokens and API keys are taken as gRPC takes them.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from lightningstor.admin.request import AdminRequest
from lightningstor.admin.services import AdminServices
from lightningstor.errors import Unauthenticated
from lightningstor.iam.api_keys import id_in
from lightningstor.iam.principal import Principal
from lightningstor.s3.wire import sigv4
from lightningstor.s3.wire.faults import InvalidAccessKeyId, MissingAuthentication, XAmzContentSHA256Mismatch

__all__ = ["authenticate"]


def authenticate(
    services: AdminServices, request: AdminRequest, method: str, raw_path: bytes, raw_query: bytes, body: bytes
) -> Principal:
    """The caller; the request is told of it.

    Args:
        method: in capitals. raw_path, raw_query: undecoded.
        body: whole.

    Raises:
        MissingAuthentication: no credentials. Unauthenticated: a token that is not good.
        InvalidAccessKeyId, SignatureDoesNotMatch, XAmzContentSHA256Mismatch, and the other faults of signatures.
    """
    authorization, api_key = request.headers.get(b"authorization"), request.text(b"x-api-key")
    if authorization is not None and api_key is not None:
        raise Unauthenticated("both an Authorization header and an API key")
    if api_key is not None:
        request.access_key = id_in(api_key)
        return _known(request, services.callers.by_api_key(api_key), "api-key")
    if authorization is None:
        raise MissingAuthentication()
    if authorization[:7].lower() == b"bearer ":
        return _known(request, services.callers.by_bearer(authorization[7:].strip().decode("latin-1")), "bearer")
    signed = sigv4.parse_authorization(request.headers)
    request.access_key = signed.access_key_id
    credential = services.credentials.find(signed.access_key_id)
    if credential is None:
        raise InvalidAccessKeyId(signed.access_key_id)
    sigv4.verify(
        signed,
        method,
        raw_path,
        raw_query,
        request.headers,
        credential.secret,
        services.world.clock.now_ms(),
        region=services.region,
        max_skew_ms=services.clock_skew_ms,
    )
    computed = sha256(body).hexdigest()
    if not hmac.compare_digest(computed.encode(), signed.payload_hash.encode("latin-1", "replace")):
        raise XAmzContentSHA256Mismatch(signed.payload_hash, computed)
    return _known(request, credential.principal, "header")


def _known(request: AdminRequest, principal: Principal, how: str) -> Principal:
    request.principal, request.authentication = principal, how
    return principal
