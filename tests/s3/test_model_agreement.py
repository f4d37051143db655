"""The operation table and its DTOs against botocore's model of S3.

Two ways: every row and field is compared with the model's; and every implemented operation's request is written by
botocore and bound by us, its answer rendered by us and read by botocore, with every member set.
"""

from __future__ import annotations

import datetime
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import Any, Final

import botocore.loaders
import botocore.model
import botocore.parsers
import botocore.serialize
import pytest
from botocore.awsrequest import HeadersDict

from lightningstor.s3.wire import dto
from lightningstor.s3.wire.bind import bind
from lightningstor.s3.wire.dto.members import Dto, Location, Member
from lightningstor.s3.wire.operation import Operation, Scope
from lightningstor.s3.wire.operations import BY_NAME, OPERATIONS
from lightningstor.s3.wire.render import render
from lightningstor.s3.wire.routing import match
from tests.conftest import Figure

SERVICE: Final = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("s3", "service-2"), "s3")
MODELLED: Final = tuple(SERVICE.operation_names)
IMPLEMENTED: Final = tuple(operation for operation in OPERATIONS if operation.implemented)

# What was compared when this was last looked at. A new botocore that knows more changes them: look at what is new.
MODELLED_OPERATIONS: Final = 116
IMPLEMENTED_OPERATIONS: Final = 34
COMPARED_FIELDS: Final = 850

# Rows of ours that the model does not have.
BEYOND_THE_MODEL: Final = {
    "PostObject": "an HTML form sends it, no SDK does",
    "OptionsBucket": "browsers send it before a cross-origin request",
    "OptionsObject": "browsers send it before a cross-origin request",
}
# The model has no status for these; S3 answers 204.
ANSWERS_204: Final = frozenset({"PutBucketPolicy", "PutBucketTagging"})
# One row's address is not the model's.
ADDRESSED_ELSEWHERE: Final = {"WriteGetObjectResponse": "it stands at /WriteGetObjectResponse of a host of its own"}

# Fields of ours that the model does not have.
EXTRA_FIELDS: Final = {
    ("GetObjectRequest", "if_range"): "S3 honours If-Range (RFC 9110 §13.1.5)",
    ("HeadObjectRequest", "if_range"): "S3 honours If-Range (RFC 9110 §13.1.5)",
}
_ENCRYPTED: Final = "nothing is encrypted here yet: requests for it are refused"
_LOCKED: Final = "there is no object lock: requests for it are refused"
_DIRECTORY: Final = "S3 has it for directory buckets only"
# Members of answers that are never sent.
NEVER_SENT: Final = {
    "RequestCharged": "no bucket's requester pays",
    "Expiration": "there are no lifecycle rules yet",
    "AbortRuleId": "there are no lifecycle rules yet",
    "Restore": "nothing is archived",
    "RestoreStatus": "nothing is archived",
    "ArchiveStatus": "nothing is archived",
    "ReplicationStatus": "nothing is replicated",
    "WebsiteRedirectLocation": "requests for it are refused",
    "MFADelete": "MFA delete is refused",
    "BucketLocationType": _DIRECTORY,
    "BucketLocationName": _DIRECTORY,
    "AccessPointAlias": "there are no access points",
    "ServerSideEncryption": _ENCRYPTED,
    "SSECustomerAlgorithm": _ENCRYPTED,
    "SSECustomerKeyMD5": _ENCRYPTED,
    "SSEKMSKeyId": _ENCRYPTED,
    "SSEKMSEncryptionContext": _ENCRYPTED,
    "BucketKeyEnabled": _ENCRYPTED,
    "ObjectLockMode": _LOCKED,
    "ObjectLockRetainUntilDate": _LOCKED,
    "ObjectLockLegalHoldStatus": _LOCKED,
    "ObjectLockEventHold": _LOCKED,
    "ObjectLockEventHoldDurationDays": _LOCKED,
    "ObjectLockEventHoldDurationYears": _LOCKED,
}
# In these answers a member of the model is never sent, though elsewhere it is.
NEVER_SENT_HERE: Final = {
    ("CreateMultipartUploadOutput", "VersionId"): "an upload has no version before it is completed",
    ("LoggingEnabled", "TargetGrants"): "ACLs are disabled",
    ("UploadPartOutput", "VersionId"): "a part has no version",
    ("UploadPartCopyOutput", "VersionId"): "a part has no version",
    ("ListPartsOutput", "VersionId"): "an upload has no version before it is completed",
    ("AbortMultipartUploadOutput", "VersionId"): "an upload has no version before it is completed",
    ("MultipartUpload", "VersionId"): "an upload has no version before it is completed",
}
# Members of requests that are bound without the model's list of values, and who judges them.
JUDGED_LATER: Final = {
    "StorageClass": "the handlers: an unknown one has an error of its own, InvalidStorageClass",
    "LocationConstraint": "the handlers: the endpoint's own region may be any name",
}
# Members whose text is kept as it was sent, though botocore (not S3's own model) makes them dates.
KEPT_AS_SENT: Final = {"Expires": "S3 gives back what was stored, date or not"}
_SEAM = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_IRREGULAR: Final = {"ETag": "etag", "SSEKMSKeyId": "sse_kms_key_id"}


def attribute_of(member: str) -> str:
    """Our attribute for a member of the model: `IfNoneMatch` → `if_none_match`."""
    if re.fullmatch(r"Checksum[A-Z0-9]+", member):
        return f"checksum_{member[8:].lower()}"
    return _IRREGULAR.get(member) or _SEAM.sub("_", member).lower()


def selectors(operation: botocore.model.OperationModel) -> set[str]:
    """The query parameters without which a request is another operation."""
    query = operation.http["requestUri"].partition("?")[2]
    found = set(query.split("&")) if query else set()
    shape = operation.input_shape
    if shape is not None:
        for name in shape.required_members:
            where = shape.members[name].serialization
            if where.get("location") == "querystring":
                found.add(where["name"])
    return found


@pytest.mark.parametrize("name", MODELLED)
def test_every_operation_of_the_model_has_its_row(name: str) -> None:
    """Method, scope, selecting parameters, status and need of a checksum are the model's."""
    theirs, ours = SERVICE.operation_model(name), BY_NAME[name]
    assert ours.method == theirs.http["method"]
    assert set(ours.query) == selectors(theirs)
    assert ours.requires_checksum == theirs.http_checksum.get("requestChecksumRequired", False)
    if name in ANSWERS_204:
        assert "responseCode" not in theirs.http or theirs.http["responseCode"] == 200
        assert ours.success == 204
    else:
        assert ours.success == theirs.http.get("responseCode", 200)
    if name not in ADDRESSED_ELSEWHERE:
        path = theirs.http["requestUri"].partition("?")[0]
        assert ours.scope is {"/": Scope.SERVICE, "/{Bucket}": Scope.BUCKET, "/{Bucket}/{Key+}": Scope.OBJECT}[path]
    copied = theirs.input_shape is not None and "CopySource" in theirs.input_shape.required_members
    assert ours.header == ("x-amz-copy-source" if copied else None)


def test_the_table_is_the_model_and_three_rows() -> None:
    """Nothing of the model is missing, and what is beyond it is listed here with the reason."""
    assert len(MODELLED) == MODELLED_OPERATIONS
    assert set(BY_NAME) - set(MODELLED) == set(BEYOND_THE_MODEL)
    assert set(MODELLED) <= set(BY_NAME)
    assert len(OPERATIONS) == len(BY_NAME), "two rows have one name"
    assert len(IMPLEMENTED) == IMPLEMENTED_OPERATIONS
    assert sum(operation.requires_checksum for operation in OPERATIONS) == 27


def test_a_superseded_row_has_the_address_of_its_successor() -> None:
    """What is never matched is what another row matches: deprecated forms, and one for another host."""
    for old in OPERATIONS:
        if old.superseded_by is not None:
            new = BY_NAME[old.superseded_by]
            assert (old.method, old.scope, old.query) == (new.method, new.scope, new.query)


# Fields


def _check_kind(ours: Member, theirs: botocore.model.Shape, where: str) -> None:
    kind = {"long": "integer", "structure": "string"}.get(theirs.type_name, theirs.type_name)
    if theirs.name in KEPT_AS_SENT:
        kind = "string"
    if theirs.type_name == "list" and ours.many:
        item = theirs.member
        if item.type_name != "structure":
            assert ours.kind.name == item.type_name, where
        return
    assert ours.kind.name == kind, where
    values = theirs.member.enum if theirs.type_name == "list" else getattr(theirs, "enum", [])
    if ours.kind.values:
        assert set(ours.kind.values) == set(values), where


def _wire(theirs: botocore.model.Shape, member: str, flattened: bool) -> str:
    if flattened and "name" in theirs.member.serialization:
        return str(theirs.member.serialization["name"])
    return str(theirs.serialization.get("name", member))


def _check_member(ours: Member, theirs: botocore.model.Shape, member: str, required: bool, where: str) -> None:
    serialization = theirs.serialization
    location = serialization.get("location")
    assert ours.required == required, where
    if location is not None:
        assert (ours.location, ours.wire) == (location, serialization["name"]), where
        _check_kind(ours, theirs, where)
        return
    assert ours.location in (Location.XML, Location.PAYLOAD, Location.STREAM, Location.ROOT_TEXT), where
    if ours.location in (Location.STREAM, Location.ROOT_TEXT):
        return
    flattened = theirs.type_name == "list" and theirs.serialization.get("flattened", False)
    assert ours.wire == _wire(theirs, member, flattened), where
    assert ours.attribute == serialization.get("xmlAttribute", False), where
    assert ours.many == (theirs.type_name == "list"), where
    if theirs.type_name == "list":
        assert ours.item == ("" if flattened else theirs.member.serialization.get("name", "member")), where
    _check_kind(ours, theirs, where)


def _fields(ours: type[Dto], theirs: botocore.model.StructureShape, answer: bool) -> Iterator[str]:
    """Compare a class with a shape and all that is in it; yields the name of each field compared."""
    where = theirs.name
    by_attribute = {attribute_of(name): name for name in theirs.members}
    refused = {refusal.wire for refusal in ours.refused}
    for attribute in ours.members:
        assert attribute in by_attribute or (where, attribute) in EXTRA_FIELDS, f"{where}.{attribute}: not in the model"
    for attribute, name in by_attribute.items():
        shape = theirs.members[name]
        field = f"{where}.{name}"
        if shape.serialization.get("location") == "uri":
            assert attribute in ours.__struct_fields__, field
        elif attribute in ours.members:
            member = ours.members[attribute]
            # In an answer nothing is required: it is we who make it.
            _check_member(member, shape, name, name in theirs.required_members, field)
            if shape.type_name in ("structure", "list") and member.shape is not None:
                nested = shape.member if shape.type_name == "list" else shape
                assert member.shape.__name__ == nested.name, field
                yield from _fields(member.shape, nested, answer)
            if not answer and not member.kind.values and getattr(shape, "enum", []):
                assert name in JUDGED_LATER, f"{field}: its values are not checked"
        elif answer:
            assert name in NEVER_SENT or (where, name) in NEVER_SENT_HERE, f"{field}: missing, with no reason"
        else:
            assert shape.serialization.get("name", name) in refused, f"{field}: neither bound nor refused"
        yield field


def test_every_field_agrees(figure: Figure) -> None:
    """Name, place, type, values and need of every member of every implemented operation are the model's."""
    compared: set[str] = set()
    for operation in IMPLEMENTED:
        theirs = SERVICE.operation_model(operation.name)
        assert operation.input is not None
        assert operation.input.__name__ == theirs.input_shape.name
        compared.update(_fields(operation.input, theirs.input_shape, answer=False))
        if theirs.output_shape is None:
            assert operation.output is None
        else:
            assert operation.output is not None
            assert operation.output.__name__ == theirs.output_shape.name
            compared.update(_fields(operation.output, theirs.output_shape, answer=True))
    figure(f"S3 model: {len(MODELLED)} operations and {len(compared)} fields agree")
    assert len(compared) == COMPARED_FIELDS


def test_no_exception_is_stale() -> None:
    """Every exception above is about something that the model still has, and that is still an exception."""
    shapes = {name: SERVICE.shape_for(name) for name in SERVICE.shape_names}
    for shape, attribute in EXTRA_FIELDS:
        assert attribute in getattr(dto, shape).members
        assert attribute not in {attribute_of(name) for name in shapes[shape].members}
    for shape, member in NEVER_SENT_HERE:
        assert member in shapes[shape].members
        assert attribute_of(member) not in getattr(dto, shape).members
    answers = {name for operation in IMPLEMENTED if operation.output for name in _members_below(operation)}
    assert set(NEVER_SENT) <= answers


def _members_below(operation: Operation) -> Iterator[str]:
    waiting = [SERVICE.operation_model(operation.name).output_shape]
    while waiting:
        shape = waiting.pop()
        yield from shape.members
        for member in shape.members.values():
            inner = member.member if member.type_name == "list" else member
            if inner.type_name == "structure":
                waiting.append(inner)


# Requests by botocore, bound by us

SERIALIZER: Final = botocore.serialize.create_serializer("rest-xml", include_validation=True)
PARSER: Final = botocore.parsers.create_parser("rest-xml")
MOMENT: Final = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
MOMENT_MS: Final = 1_767_323_045_000
BUCKET: Final = "some-bucket"
KEY: Final = "a//b/../c d+e%f/é"


def _sample(member: Member, name: str) -> Any:
    """A value for a member, and in lists two."""
    if member.shape is not None:
        one = {
            _modelled(member.shape, attribute): _sample(inner, attribute)
            for attribute, inner in member.shape.members.items()
        }
        return [one, one] if member.many else one
    kind = member.kind
    values: dict[str, Any] = {
        "integer": 7,
        "boolean": True,
        "timestamp": MOMENT,
        "map": {"one": "1", "two-b": "x y"},
        "blob": b"content",
        "list": list(kind.values[:2]),
        "string": kind.values[0] if kind.values else f"{name} <&> é \x85",
    }
    if member.wire in KEPT_AS_SENT:
        return MOMENT
    if (member.location == Location.HEADER or member.wire.startswith("response-")) and kind.name == "string":
        return kind.values[0] if kind.values else f"{name}, text"
    value = values[kind.name]
    return [value, value] if member.many else value


def _modelled(shape: type[Dto], attribute: str) -> str:
    theirs = SERVICE.shape_for(shape.__name__)
    return next(name for name in theirs.members if attribute_of(name) == attribute)


def _plain(value: Any) -> Any:
    """A bound value as botocore's parameters have it."""
    if isinstance(value, Dto):
        return {
            _modelled(type(value), attribute): _plain(got)
            for attribute in value.__struct_fields__
            if (got := getattr(value, attribute)) is not None
        }
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


@pytest.mark.parametrize("operation", IMPLEMENTED, ids=lambda operation: operation.name)
def test_what_botocore_writes_is_bound_whole(operation: Operation) -> None:
    """With every member set that we take, botocore's request is matched, and every value arrives."""
    shape = operation.input
    assert shape is not None
    params = {
        _modelled(shape, attribute): _sample(member, attribute)
        for attribute, member in shape.members.items()
        if (shape.__name__, attribute) not in EXTRA_FIELDS
    }
    if operation.scope is not Scope.SERVICE:
        params["Bucket"] = BUCKET
    if operation.scope is Scope.OBJECT:
        params["Key"] = KEY
    request = SERIALIZER.serialize_to_request(params, SERVICE.operation_model(operation.name))
    query = dict(request["query_string"])
    for field in filter(None, request["url_path"].partition("?")[2].split("&")):
        name, _, value = field.partition("=")
        query[name] = value
    query = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in query.items()}
    headers = {name.lower().encode(): str(value).encode() for name, value in request["headers"].items()}
    assert match(request["method"], operation.scope, query, headers) is operation

    body = request["body"] if any(m.location == Location.PAYLOAD for m in shape.members.values()) else None
    bound = bind(operation, params.get("Bucket"), params.get("Key"), query, headers, body or None)
    expected = dict(params)
    for name in ("Body", "ContentLength", "ContentMD5"):  # `payload` and the body's own checks read those
        expected.pop(name, None)
    for name, value in params.items():
        if isinstance(value, datetime.datetime):  # bound as the text that came
            wire = shape.members[attribute_of(name)].wire
            expected[name] = query[wire] if wire in query else headers[wire.lower().encode()].decode()
    assert _plain(bound) == expected


# Answers by us, read by botocore


def _answer(shape: type[Dto]) -> Dto:
    """An answer with every member set, but for encoding-type."""
    values: dict[str, Any] = {}
    for attribute, member in shape.members.items():
        if attribute == "encoding_type" or member.location == Location.STREAM:
            continue
        if member.shape is not None:
            one = _answer(member.shape)
            values[attribute] = [one, one] if member.many else one
        elif member.kind.name == "timestamp":
            values[attribute] = MOMENT_MS + 678  # what is below a second is not told
        elif member.wire in KEPT_AS_SENT:
            values[attribute] = "Fri, 02 Jan 2026 03:04:05 GMT"
        else:
            values[attribute] = _sample(member, attribute)
    return shape(**values)


def _as_read(value: Any, member: Member | None = None) -> Any:
    if isinstance(value, Dto):
        return {
            _modelled(type(value), attribute): _as_read(getattr(value, attribute), member)
            for attribute, member in value.members.items()
            if getattr(value, attribute) is not None
        }
    if isinstance(value, list):
        return [_as_read(item, member) for item in value]
    return MOMENT if member is not None and member.kind.name == "timestamp" else value


@pytest.mark.parametrize(
    "operation", [row for row in IMPLEMENTED if row.output is not None], ids=lambda operation: operation.name
)
def test_what_we_render_botocore_reads_whole(operation: Operation) -> None:
    """With every member set, botocore's parser gives back every value of our answer."""
    assert operation.output is not None
    answer = _answer(operation.output)
    status, headers, body = render(operation, answer)
    assert status == operation.success
    shape = SERVICE.operation_model(operation.name).output_shape
    received = HeadersDict((name.decode(), value.decode()) for name, value in headers)
    read = PARSER.parse({"status_code": status, "headers": received, "body": body}, shape)
    del read["ResponseMetadata"]
    read.pop("Body", None)
    expected = _as_read(answer)
    if "Expires" in expected:
        expected["Expires"] = MOMENT
    if operation.name == "GetBucketLocation":
        # The root element is the value, which botocore reads apart from the model.
        read = {"LocationConstraint": ElementTree.fromstring(body).text}
    assert read == expected
