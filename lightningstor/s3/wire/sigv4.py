"""Signature Version 4, in the Authorization header and in presigned URLs: reading and checking.

    canonical request = method ⏎ path ⏎ query ⏎ headers ⏎ ⏎ signed header names ⏎ payload hash
    string to sign    = AWS4-HMAC-SHA256 ⏎ time ⏎ date/region/s3/aws4_request ⏎ SHA-256(canonical request)
    signature         = HMAC-SHA256(signing key, string to sign), in hex

Source: "Authenticating Requests (AWS Signature Version 4)", Amazon S3 API Reference. The time is an argument.
Nothing about a verified signature is kept: what is cached are derived keys and the parsed form of texts.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from operator import itemgetter
from typing import Final, NoReturn

from msgspec import Struct

from lightningstor.errors import AccessDenied
from lightningstor.s3.wire.canonical import (
    HEADER_NAME,
    canonical_path,
    canonical_query,
    header_value,
    host_readings,
    path_readings,
    query_readings,
)
from lightningstor.s3.wire.dates import amz_time, parse_amz_time, parse_http_time
from lightningstor.s3.wire.faults import (
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    ExpiresOutOfRange,
    HeadersNotSigned,
    InvalidArgument,
    InvalidRequest,
    NotImplementedHere,
    RequestExpired,
    RequestTimeTooSkewed,
    SignatureDoesNotMatch,
)
from lightningstor.s3.wire.signing_key import SigningKey, signing_key

__all__ = [
    "ALGORITHM",
    "EMPTY_SHA256",
    "MAX_EXPIRES_S",
    "PRESIGNED_PARAMETERS",
    "UNSIGNED_PAYLOAD",
    "Credential",
    "SignedRequest",
    "canonical_request",
    "parse_authorization",
    "parse_presigned",
    "string_to_sign",
    "verify",
]

ALGORITHM: Final = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
EMPTY_SHA256: Final = sha256(b"").hexdigest()
MAX_EXPIRES_S: Final = 604_800
"""Seven days: the longest that a presigned URL may be good for."""

PRESIGNED_PARAMETERS: Final = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Expires",
)

# A byte is sought as a number: in 0.02 µs, and as bytes of length one in 0.35 (CPython raises a TypeError first).
_COMMA: Final = ord(",")
_SPACE: Final = ord(" ")
_TAB: Final = ord("\t")
_MAX_SKEW_MS: Final = 15 * 60_000
_SCHEME: Final = "AWS4-HMAC-SHA256 "
_HEADER_PREFIX: Final = _SCHEME.encode()
_HEADER_FIELDS: Final = frozenset({"Credential", "SignedHeaders"})
_SIGV4A: Final = "AWS4-ECDSA-P256-SHA256"
_HEADER: Final = "The authorization header is malformed; "
_CREDENTIAL: Final = "Error parsing the X-Amz-Credential parameter; "


class Credential(Struct, frozen=True):
    """Who signed, for what, and over which headers: the part of a signature that is the same all day.

    Attributes:
        scope: "date/region/service/aws4_request".
        names: of the signed headers, in order; `name_set` the same; `listed` as they came.
        template: the canonical headers, to be filled with the values that `pick` gets out of the headers.
    """

    access_key_id: str
    scope: str
    date: str
    region: str
    names: tuple[bytes, ...]
    name_set: frozenset[bytes]
    listed: bytes
    template: bytes
    pick: Callable[[Mapping[bytes, bytes]], bytes | tuple[bytes, ...]]

    @classmethod
    def of(cls, access_key_id: str, date: str, region: str, service: str, listed: bytes) -> Credential:
        """Put together what the parts imply."""
        names = tuple(listed.split(b";"))
        template = b"".join([name.replace(b"%", b"%%") + b":%b\n" for name in names])
        scope = f"{date}/{region}/{service}/aws4_request"
        return cls(access_key_id, scope, date, region, names, frozenset(names), listed, template, itemgetter(*names))


class SignedRequest(Struct, frozen=True):
    """What a request says about its signature.

    Attributes:
        amz_date: the request's time, "YYYYMMDDThhmmssZ". time_ms: the same in milliseconds since the Unix epoch.
        payload_hash: what takes the place of the body's hash (`payload` has the modes).
        expires_s: for a presigned URL, how long it is good for; None in the header form.
    """

    credential: Credential
    signature: str
    amz_date: str
    time_ms: int
    payload_hash: str
    expires_s: int | None = None

    @property
    def access_key_id(self) -> str:
        """Whose key signed."""
        return self.credential.access_key_id

    @property
    def scope(self) -> str:
        """ "date/region/service/aws4_request"."""
        return self.credential.scope

    @property
    def region(self) -> str:
        """The region that was signed for."""
        return self.credential.region


def _credential(text: str, listed: str) -> Credential:
    """Of "AKID/date/region/service/aws4_request" and "name;name;…".

    Raises:
        ValueError: another form; the text says which rule is broken. An access key id may hold "/" itself.
    """
    parts = text.rsplit("/", 4)
    if len(parts) != 5 or not parts[0] or parts[4] != "aws4_request":
        raise ValueError('the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".')
    access_key_id, date, region, service, _ = parts
    if not (len(date) == 8 and date.isascii() and date.isdigit()):
        raise ValueError(
            f'incorrect date format "{date}". This date in the credential must be in the format "yyyyMMdd".'
        )
    if service != "s3":
        raise ValueError(f'incorrect service "{service}". This endpoint belongs to "s3".')
    # A name with a line feed in it could pose as a header and its value, so only what can be a name is let in.
    raw_names = listed.encode("utf-8", "surrogateescape")
    names = raw_names.split(b";")
    if raw_names.translate(None, HEADER_NAME + b";") or b"" in names or len(set(names)) != len(names):
        raise ValueError("the SignedHeaders are mal-formed; expecting lower-case names, once each, separated by ;")
    return Credential.of(access_key_id, date, region, service, raw_names)


def _check_scheme(authorization: bytes) -> None:
    if authorization.startswith(_HEADER_PREFIX):
        return
    if authorization.startswith(_SIGV4A.encode()):
        raise NotImplementedHere(_SIGV4A)
    raise InvalidArgument("Unsupported Authorization Type", "Authorization")


def _header_credential(fields: bytes) -> Credential:
    """Read an Authorization header without its signature. What is left is the same for a client's whole day.

    Raises:
        AuthorizationHeaderMalformed
        InvalidArgument, NotImplementedHere: it has another scheme.
    """
    _check_scheme(fields)
    found: dict[str, str] = {}
    for piece in fields.decode("latin-1").removeprefix(_SCHEME).split(","):
        name, _, value = piece.strip().partition("=")
        if not name:
            continue
        if name not in _HEADER_FIELDS or name in found:
            raise AuthorizationHeaderMalformed(f"{_HEADER}unexpected or repeated {name}.")
        found[name] = value
    for name in ("Credential", "SignedHeaders"):
        if not found.get(name):
            raise AuthorizationHeaderMalformed(f"{_HEADER}missing {name}.")
    try:
        return _credential(found["Credential"], found["SignedHeaders"])
    except ValueError as broken:
        raise AuthorizationHeaderMalformed(f"{_HEADER}{broken}") from None


_CACHED_MAX: Final = 1024
"""Longer texts are parsed anew each time: whoever sends one is not known yet, and shall not fill our memory."""

_cached_credential = lru_cache(maxsize=512)(_credential)
_cached_header_credential = lru_cache(maxsize=512)(_header_credential)


def parse_authorization(headers: Mapping[bytes, bytes]) -> SignedRequest:
    """Read the Authorization header, which must be there, and the time that goes with it.

    Args:
        headers: by lower-case name; repeated ones joined by ",".

    Raises:
        AuthorizationHeaderMalformed
        InvalidArgument: no scheme that S3 knows. NotImplementedHere: SigV4a, the asymmetric kind.
        InvalidRequest: x-amz-content-sha256 is missing. AccessDenied: the time is missing or cannot be read.
    """
    fields, _, signature = headers[b"authorization"].partition(b"Signature=")
    if _COMMA in signature:  # nobody's SDK writes it elsewhere than last
        signature, _, rest = signature.partition(b",")
        fields += rest
    if not signature:
        _check_scheme(fields)
        raise AuthorizationHeaderMalformed(f"{_HEADER}missing Signature.")
    payload_hash = headers.get(b"x-amz-content-sha256")
    if payload_hash is None:
        _check_scheme(fields)
        raise InvalidRequest("Missing required header for this request: x-amz-content-sha256")
    raw_date = headers.get(b"x-amz-date")
    if raw_date is not None and len(fields) + len(raw_date) <= _CACHED_MAX:
        credential, amz_date, time_ms = _cached_header_scope(fields, raw_date)
    else:
        credential, amz_date, time_ms = _header_scope(fields, raw_date, headers.get(b"date", b""))
    return SignedRequest(
        credential, signature.strip().decode("latin-1"), amz_date, time_ms, payload_hash.decode("latin-1")
    )


def _header_scope(fields: bytes, amz_date: bytes | None, date: bytes = b"") -> tuple[Credential, str, int]:
    """Who signs what and when, as text and in milliseconds since the Unix epoch.

    Args:
        fields: the Authorization header without its signature.
        amz_date: x-amz-date; None: it is not there, and `date`, the Date header, counts.

    Raises:
        AuthorizationHeaderMalformed, InvalidArgument, NotImplementedHere: as `_header_credential`; or the days differ.
        AccessDenied: the time is missing or cannot be read.
    """
    credential = _cached_header_credential(fields) if len(fields) <= _CACHED_MAX else _header_credential(fields)
    if amz_date is None:
        text, time_ms = _http_date(date.decode("latin-1"))
    else:
        text, time_ms = _amz_date(amz_date)
    if text[:8] != credential.date:
        raise AuthorizationHeaderMalformed(
            f'{_HEADER}Invalid credential date "{credential.date}". '
            f'This date is not the same as X-Amz-Date: "{text[:8]}".'
        )
    return credential, text, time_ms


_cached_header_scope = lru_cache(maxsize=512)(_header_scope)
"""The requests that a client makes in a second share all of this."""


def _amz_date(raw: bytes) -> tuple[str, int]:
    text = raw.decode("latin-1").strip()
    try:
        return text, parse_amz_time(text)
    except ValueError:
        return _http_date(text)


def _http_date(text: str) -> tuple[str, int]:
    time_ms = parse_http_time(text)
    if time_ms is None:
        raise AccessDenied("AWS authentication requires a valid Date or x-amz-date header")
    return amz_time(time_ms), time_ms


def parse_presigned(query: Mapping[str, str], headers: Mapping[bytes, bytes]) -> SignedRequest:
    """Read a presigned URL's parameters.

    Args:
        query: decoded, by name.
        headers: by lower-case name.

    Raises:
        AuthorizationQueryParametersError
        NotImplementedHere: SigV4a, the asymmetric kind.
    """
    algorithm = query.get("X-Amz-Algorithm")
    if algorithm == _SIGV4A:
        raise NotImplementedHere(_SIGV4A)
    if not all(map(query.get, PRESIGNED_PARAMETERS)):
        raise AuthorizationQueryParametersError(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
            "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    if algorithm != ALGORITHM:
        raise AuthorizationQueryParametersError(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    try:
        scope, listed = query["X-Amz-Credential"], query["X-Amz-SignedHeaders"].lower()
        credential = (_cached_credential if len(scope) + len(listed) <= _CACHED_MAX else _credential)(scope, listed)
    except ValueError as broken:
        raise AuthorizationQueryParametersError(f"{_CREDENTIAL}{broken}") from None
    amz_date = query["X-Amz-Date"]
    try:
        time_ms = parse_amz_time(amz_date)
    except ValueError:
        raise AuthorizationQueryParametersError(
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
        ) from None
    if amz_date[:8] != credential.date:
        raise AuthorizationQueryParametersError(
            f'Invalid credential date "{credential.date}". This date is not the same as X-Amz-Date: "{amz_date[:8]}".'
        )
    sent = headers.get(b"x-amz-content-sha256")
    payload_hash = query.get("X-Amz-Content-Sha256", UNSIGNED_PAYLOAD) if sent is None else sent.decode("latin-1")
    return SignedRequest(
        credential, query["X-Amz-Signature"], amz_date, time_ms, payload_hash, _expires(query["X-Amz-Expires"])
    )


def _expires(text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise AuthorizationQueryParametersError("X-Amz-Expires should be a number")
    if text[0] == "-":
        raise ExpiresOutOfRange("X-Amz-Expires must be non-negative")
    seconds = int(text) if len(text) < 12 else MAX_EXPIRES_S + 1
    if seconds == 0:
        raise ExpiresOutOfRange("X-Amz-Expires must be at least 1 second")
    if seconds > MAX_EXPIRES_S:
        raise ExpiresOutOfRange(
            f"X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
            f"{MAX_EXPIRES_S} seconds"
        )
    return seconds


def _assembled(signed: SignedRequest, method: str, path: bytes, query: bytes, headers: Mapping[bytes, bytes]) -> bytes:
    """The canonical request out of path and query in canonical form. On the way of every request."""
    credential = signed.credential
    pick = credential.pick  # a callable in a slot is called quicker through a name: it is no method to look up
    try:
        block = credential.template % pick(headers)
    except KeyError:
        block = _header_block(credential.names, headers)
    if _SPACE in block or _TAB in block:
        block = _header_block(credential.names, headers)
    payload_hash = signed.payload_hash.encode("latin-1", "replace")
    return b"\n".join((method.encode(), path, query, block, credential.listed, payload_hash))


def _header_block(names: tuple[bytes, ...], headers: Mapping[bytes, bytes]) -> bytes:
    """The canonical headers with their white space folded; one that is not there has an empty value."""
    return b"".join([b"%b:%b\n" % (name, header_value(headers.get(name, b""))) for name in names])


def canonical_request(
    signed: SignedRequest, method: str, raw_path: bytes, raw_query: bytes, headers: Mapping[bytes, bytes]
) -> bytes:
    """The canonical request, as both sides must compute it."""
    query = raw_query
    if query:
        query = canonical_query(raw_query, None if signed.expires_s is None else b"X-Amz-Signature")
    return _assembled(signed, method, canonical_path(raw_path), query, headers)


def string_to_sign(signed: SignedRequest, canonical: bytes) -> bytes:
    """What the signing key signs."""
    text = f"AWS4-HMAC-SHA256\n{signed.amz_date}\n{signed.credential.scope}\n{sha256(canonical).hexdigest()}"
    return text.encode("utf-8", "surrogateescape")


def verify(
    signed: SignedRequest,
    method: str,
    raw_path: bytes,
    raw_query: bytes,
    headers: Mapping[bytes, bytes],
    secret: bytes,
    now_ms: int,
    region: str,
    strict_region: bool = False,
    max_skew_ms: int = _MAX_SKEW_MS,
    hosts: tuple[bytes, ...] = (),
) -> SigningKey:
    """Check time, region, signed headers and signature: 6 µs for a GET with three signed headers.

    Args:
        method: in capitals. raw_path, raw_query: as they came, undecoded; the path without the query.
        headers: by lower-case name; repeated ones joined by ",".
        secret: of the access key.
        now_ms: our time, in milliseconds since the Unix epoch.
        region: ours; others are accepted unless `strict_region`.
        max_skew_ms: how far the request's time may be from ours.
        hosts: further values that a presigned URL's Host may have been signed with (`[s3] host_aliases`).

    Returns:
        The signing key, with which the chunks of a streaming body are signed as well.

    Raises:
        RequestTimeTooSkewed, RequestExpired, HeadersNotSigned, SignatureDoesNotMatch
        AuthorizationHeaderMalformed, AuthorizationQueryParametersError: another region than the strict one.
    """
    credential = signed.credential
    if signed.expires_s is not None:
        _check_presigned_time(signed, now_ms, max_skew_ms)
    elif not -max_skew_ms <= signed.time_ms - now_ms <= max_skew_ms:
        raise RequestTimeTooSkewed(signed.amz_date, amz_time(now_ms), max_skew_ms)
    if strict_region and credential.region != region:
        _refuse_region(signed, region)
    names = credential.name_set
    for name in headers.keys() - names:
        if name.startswith(b"x-amz-"):
            _refuse_unsigned(names, headers)
    if b"host" not in names:
        _refuse_unsigned(names, headers)
    key = signing_key(secret, credential.date, credential.region)
    without = None if signed.expires_s is None else b"X-Amz-Signature"
    usual_query = canonical_query(raw_query, without) if raw_query else raw_query
    canonical = _assembled(signed, method, canonical_path(raw_path), usual_query, headers)
    if _matches(key, signed, canonical):
        return key
    for path in path_readings(raw_path):
        for query in query_readings(raw_query, without):
            for reading in host_readings(headers, hosts if signed.expires_s is not None else ()):
                if _matches(key, signed, _assembled(signed, method, path, query, reading)):
                    return key
    raise SignatureDoesNotMatch(
        credential.access_key_id,
        signed.signature,
        string_to_sign(signed, canonical).decode("utf-8", "replace"),
        canonical.decode("utf-8", "replace"),
    )


def _matches(key: SigningKey, signed: SignedRequest, canonical: bytes) -> bool:
    signature = signed.signature
    return signature.isascii() and hmac.compare_digest(key.sign(string_to_sign(signed, canonical)), signature)


def _check_presigned_time(signed: SignedRequest, now_ms: int, max_skew_ms: int) -> None:
    """A URL's life begins when it was signed (give or take the clocks' difference) and lasts `expires_s`."""
    assert signed.expires_s is not None
    ends_ms = signed.time_ms + signed.expires_s * 1000
    if signed.time_ms - now_ms > max_skew_ms:
        raise RequestExpired("Request is not valid yet", amz_time(ends_ms), amz_time(now_ms), signed.expires_s)
    if now_ms > ends_ms:
        raise RequestExpired("Request has expired", amz_time(ends_ms), amz_time(now_ms), signed.expires_s)


def _refuse_region(signed: SignedRequest, region: str) -> NoReturn:
    words = f"the region '{signed.region}' is wrong; expecting '{region}'"
    if signed.expires_s is not None:
        raise AuthorizationQueryParametersError(_CREDENTIAL + words)
    raise AuthorizationHeaderMalformed(_HEADER + words, region)


def _refuse_unsigned(names: frozenset[bytes], headers: Mapping[bytes, bytes]) -> NoReturn:
    """Host and every x-amz-* header must be signed: otherwise somebody on the way could change what is asked."""
    missing = [name for name in (b"host", *headers) if name not in names]
    told = dict.fromkeys(name for name in missing if name == b"host" or name.startswith(b"x-amz-"))
    raise HeadersNotSigned(", ".join(name.decode("latin-1") for name in told))
