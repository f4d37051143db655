from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AuthorizeRequest(_message.Message):
    __slots__ = ("principal", "action", "resource", "context")
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    principal: PrincipalRef
    action: str
    resource: ResourceRef
    context: RequestContext
    def __init__(self, principal: _Optional[_Union[PrincipalRef, _Mapping]] = ..., action: _Optional[str] = ..., resource: _Optional[_Union[ResourceRef, _Mapping]] = ..., context: _Optional[_Union[RequestContext, _Mapping]] = ...) -> None: ...

class AuthorizeResponse(_message.Message):
    __slots__ = ("allowed", "reason")
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    allowed: bool
    reason: str
    def __init__(self, allowed: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class PrincipalRef(_message.Message):
    __slots__ = ("id", "org_id", "project_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    org_id: str
    project_id: str
    def __init__(self, id: _Optional[str] = ..., org_id: _Optional[str] = ..., project_id: _Optional[str] = ...) -> None: ...

class ResourceRef(_message.Message):
    __slots__ = ("kind", "id", "org_id", "project_id", "bucket")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    BUCKET_FIELD_NUMBER: _ClassVar[int]
    kind: str
    id: str
    org_id: str
    project_id: str
    bucket: str
    def __init__(self, kind: _Optional[str] = ..., id: _Optional[str] = ..., org_id: _Optional[str] = ..., project_id: _Optional[str] = ..., bucket: _Optional[str] = ...) -> None: ...

class RequestContext(_message.Message):
    __slots__ = ("s3_action", "values", "absent")
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    S3_ACTION_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    ABSENT_FIELD_NUMBER: _ClassVar[int]
    s3_action: str
    values: _containers.ScalarMap[str, str]
    absent: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, s3_action: _Optional[str] = ..., values: _Optional[_Mapping[str, str]] = ..., absent: _Optional[_Iterable[str]] = ...) -> None: ...
