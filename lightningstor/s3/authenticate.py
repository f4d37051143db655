"""Who asks? SigV4 in the header or in the query; the old SigV2 where the settings allow it.

This comes before anything that tells of the store's state, and before the body is touched.
"""

from __future__ import annotations

from typing import Final

from lightningstor.iam.credentials import Credential
from lightningstor.s3.call import Call
from lightningstor.s3.settings import SignatureV2
from lightningstor.s3.wire import sigv2, sigv4
from lightningstor.s3.wire.faults import (
    InvalidAccessKeyId,
    InvalidArgument,
    InvalidRequest,
    InvalidToken,
    MissingAuthentication,
)

__all__ = ["authenticate"]

_SESSION_TOKEN: Final = b"x-amz-security-token"
_V4_QUERY: Final = ("X-Amz-Algorithm", "X-Amz-Signature", "X-Amz-Credential")
_V2_QUERY: Final = ("AWSAccessKeyId", "Signature")


def authenticate(call: Call) -> None:
    """Set the caller's principal, and what of the signature reading the body needs.

    Raises:
        MissingAuthentication: no credentials; nothing here is open to everybody.
        InvalidAccessKeyId, SignatureDoesNotMatch, and the other faults of signatures.
    """
    authorization = call.headers.get(b"authorization")
    query = call.query
    if query and not query.keys().isdisjoint(_V4_QUERY):
        _refuse_second(authorization)
        _by_v4(call, sigv4.parse_presigned(query, call.headers))
    elif query and not query.keys().isdisjoint(_V2_QUERY):
        _refuse_second(authorization)
        _refuse_v2(call, (SignatureV2.PRESIGNED, SignatureV2.ON))
        _by_v2(call, sigv2.parse_presigned_v2(query))
    elif authorization is None:
        raise MissingAuthentication()
    elif authorization.startswith(b"AWS "):
        _refuse_v2(call, (SignatureV2.ON,))
        _by_v2(call, sigv2.parse_header_v2(call.headers))
    else:
        _by_v4(call, sigv4.parse_authorization(call.headers))


def _refuse_second(authorization: bytes | None) -> None:
    if authorization is not None:
        raise InvalidArgument(
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string"
            " parameter or the Authorization header should be specified",
            "Authorization",
        )


def _refuse_v2(call: Call, allowed: tuple[SignatureV2, ...]) -> None:
    if call.endpoint.settings.signature_v2 not in allowed:
        raise InvalidRequest(
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
        )


def _credential(call: Call, access_key_id: str) -> Credential:
    call.access_key = access_key_id
    credential = call.endpoint.credentials.find(access_key_id)
    if credential is None:
        raise InvalidAccessKeyId(access_key_id)
    # There are no session credentials here: a token that came along belongs to keys of another place.
    if _SESSION_TOKEN in call.headers or "X-Amz-Security-Token" in call.query:
        raise InvalidToken()
    return credential


def _by_v4(call: Call, signed: sigv4.SignedRequest) -> None:
    endpoint = call.endpoint
    settings = endpoint.settings
    credential = _credential(call, signed.credential.access_key_id)
    key = sigv4.verify(
        signed,
        call.method,
        call.raw_path,
        call.raw_query,
        call.headers,
        credential.secret,
        endpoint.world.clock.now_ms(),
        settings.region,
        settings.strict_region,
        settings.clock_skew_ms,
        endpoint.host_aliases,
    )
    call.principal = credential.principal
    call.authentication = "header" if signed.expires_s is None else "presigned"
    call.content_sha256 = signed.payload_hash
    call.signed = (key, signed)


def _by_v2(call: Call, signed: sigv2.SignedV2) -> None:
    credential = _credential(call, signed.access_key_id)
    sigv2.verify_v2(
        signed,
        call.method,
        call.raw_path,
        call.raw_query,
        call.headers,
        credential.secret,
        call.endpoint.world.clock.now_ms(),
        virtual_host_bucket=call.bucket if call.virtual_host else None,
        max_skew_ms=call.endpoint.settings.clock_skew_ms,
    )
    call.principal = credential.principal
    call.authentication = "presigned" if "Signature" in call.query else "header"
