from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VersioningStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERSIONING_STATUS_UNSPECIFIED: _ClassVar[VersioningStatus]
    VERSIONING_STATUS_DISABLED: _ClassVar[VersioningStatus]
    VERSIONING_STATUS_ENABLED: _ClassVar[VersioningStatus]
    VERSIONING_STATUS_SUSPENDED: _ClassVar[VersioningStatus]

class StorageClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STORAGE_CLASS_UNSPECIFIED: _ClassVar[StorageClass]
    STORAGE_CLASS_STANDARD: _ClassVar[StorageClass]
    STORAGE_CLASS_REDUCED_REDUNDANCY: _ClassVar[StorageClass]
    STORAGE_CLASS_ARCHIVE: _ClassVar[StorageClass]
    STORAGE_CLASS_STANDARD_IA: _ClassVar[StorageClass]
    STORAGE_CLASS_ONEZONE_IA: _ClassVar[StorageClass]
    STORAGE_CLASS_INTELLIGENT_TIERING: _ClassVar[StorageClass]
    STORAGE_CLASS_GLACIER_IR: _ClassVar[StorageClass]

class ChecksumAlgorithm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHECKSUM_ALGORITHM_UNSPECIFIED: _ClassVar[ChecksumAlgorithm]
    CHECKSUM_ALGORITHM_SHA256: _ClassVar[ChecksumAlgorithm]
    CHECKSUM_ALGORITHM_SHA1: _ClassVar[ChecksumAlgorithm]
    CHECKSUM_ALGORITHM_MD5: _ClassVar[ChecksumAlgorithm]
    CHECKSUM_ALGORITHM_CRC32: _ClassVar[ChecksumAlgorithm]
    CHECKSUM_ALGORITHM_CRC32C: _ClassVar[ChecksumAlgorithm]
    CHECKSUM_ALGORITHM_CRC64NVME: _ClassVar[ChecksumAlgorithm]
    CHECKSUM_ALGORITHM_SHA512: _ClassVar[ChecksumAlgorithm]

class ChecksumType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHECKSUM_TYPE_UNSPECIFIED: _ClassVar[ChecksumType]
    CHECKSUM_TYPE_FULL_OBJECT: _ClassVar[ChecksumType]
    CHECKSUM_TYPE_COMPOSITE: _ClassVar[ChecksumType]
VERSIONING_STATUS_UNSPECIFIED: VersioningStatus
VERSIONING_STATUS_DISABLED: VersioningStatus
VERSIONING_STATUS_ENABLED: VersioningStatus
VERSIONING_STATUS_SUSPENDED: VersioningStatus
STORAGE_CLASS_UNSPECIFIED: StorageClass
STORAGE_CLASS_STANDARD: StorageClass
STORAGE_CLASS_REDUCED_REDUNDANCY: StorageClass
STORAGE_CLASS_ARCHIVE: StorageClass
STORAGE_CLASS_STANDARD_IA: StorageClass
STORAGE_CLASS_ONEZONE_IA: StorageClass
STORAGE_CLASS_INTELLIGENT_TIERING: StorageClass
STORAGE_CLASS_GLACIER_IR: StorageClass
CHECKSUM_ALGORITHM_UNSPECIFIED: ChecksumAlgorithm
CHECKSUM_ALGORITHM_SHA256: ChecksumAlgorithm
CHECKSUM_ALGORITHM_SHA1: ChecksumAlgorithm
CHECKSUM_ALGORITHM_MD5: ChecksumAlgorithm
CHECKSUM_ALGORITHM_CRC32: ChecksumAlgorithm
CHECKSUM_ALGORITHM_CRC32C: ChecksumAlgorithm
CHECKSUM_ALGORITHM_CRC64NVME: ChecksumAlgorithm
CHECKSUM_ALGORITHM_SHA512: ChecksumAlgorithm
CHECKSUM_TYPE_UNSPECIFIED: ChecksumType
CHECKSUM_TYPE_FULL_OBJECT: ChecksumType
CHECKSUM_TYPE_COMPOSITE: ChecksumType

class VersioningConfig(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: VersioningStatus
    def __init__(self, status: _Optional[_Union[VersioningStatus, str]] = ...) -> None: ...

class ObjectChecksum(_message.Message):
    __slots__ = ("algorithm", "value", "type")
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    algorithm: ChecksumAlgorithm
    value: str
    type: ChecksumType
    def __init__(self, algorithm: _Optional[_Union[ChecksumAlgorithm, str]] = ..., value: _Optional[str] = ..., type: _Optional[_Union[ChecksumType, str]] = ...) -> None: ...

class BucketQuota(_message.Message):
    __slots__ = ("max_size_bytes", "max_objects")
    MAX_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_OBJECTS_FIELD_NUMBER: _ClassVar[int]
    max_size_bytes: int
    max_objects: int
    def __init__(self, max_size_bytes: _Optional[int] = ..., max_objects: _Optional[int] = ...) -> None: ...

class Bucket(_message.Message):
    __slots__ = ("name", "org_id", "project_id", "versioning", "created_at", "updated_at", "created_by", "storage_class", "quota", "metadata", "tags", "region")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSIONING_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    STORAGE_CLASS_FIELD_NUMBER: _ClassVar[int]
    QUOTA_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    name: str
    org_id: str
    project_id: str
    versioning: VersioningConfig
    created_at: int
    updated_at: int
    created_by: str
    storage_class: StorageClass
    quota: BucketQuota
    metadata: _containers.ScalarMap[str, str]
    tags: _containers.ScalarMap[str, str]
    region: str
    def __init__(self, name: _Optional[str] = ..., org_id: _Optional[str] = ..., project_id: _Optional[str] = ..., versioning: _Optional[_Union[VersioningConfig, _Mapping]] = ..., created_at: _Optional[int] = ..., updated_at: _Optional[int] = ..., created_by: _Optional[str] = ..., storage_class: _Optional[_Union[StorageClass, str]] = ..., quota: _Optional[_Union[BucketQuota, _Mapping]] = ..., metadata: _Optional[_Mapping[str, str]] = ..., tags: _Optional[_Mapping[str, str]] = ..., region: _Optional[str] = ...) -> None: ...

class ObjectMetadata(_message.Message):
    __slots__ = ("bucket", "key", "version_id", "size", "etag", "content_type", "content_encoding", "checksum", "storage_class", "metadata", "created_at", "updated_at", "delete_marker", "cache_control", "content_disposition", "content_language", "expires", "tag_count", "tags", "parts_count")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    BUCKET_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ENCODING_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    STORAGE_CLASS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    DELETE_MARKER_FIELD_NUMBER: _ClassVar[int]
    CACHE_CONTROL_FIELD_NUMBER: _ClassVar[int]
    CONTENT_DISPOSITION_FIELD_NUMBER: _ClassVar[int]
    CONTENT_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    TAG_COUNT_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    PARTS_COUNT_FIELD_NUMBER: _ClassVar[int]
    bucket: str
    key: str
    version_id: str
    size: int
    etag: str
    content_type: str
    content_encoding: str
    checksum: ObjectChecksum
    storage_class: StorageClass
    metadata: _containers.ScalarMap[str, str]
    created_at: int
    updated_at: int
    delete_marker: bool
    cache_control: str
    content_disposition: str
    content_language: str
    expires: str
    tag_count: int
    tags: _containers.ScalarMap[str, str]
    parts_count: int
    def __init__(self, bucket: _Optional[str] = ..., key: _Optional[str] = ..., version_id: _Optional[str] = ..., size: _Optional[int] = ..., etag: _Optional[str] = ..., content_type: _Optional[str] = ..., content_encoding: _Optional[str] = ..., checksum: _Optional[_Union[ObjectChecksum, _Mapping]] = ..., storage_class: _Optional[_Union[StorageClass, str]] = ..., metadata: _Optional[_Mapping[str, str]] = ..., created_at: _Optional[int] = ..., updated_at: _Optional[int] = ..., delete_marker: _Optional[bool] = ..., cache_control: _Optional[str] = ..., content_disposition: _Optional[str] = ..., content_language: _Optional[str] = ..., expires: _Optional[str] = ..., tag_count: _Optional[int] = ..., tags: _Optional[_Mapping[str, str]] = ..., parts_count: _Optional[int] = ...) -> None: ...

class ObjectSummary(_message.Message):
    __slots__ = ("key", "size", "etag", "storage_class", "updated_at", "checksum")
    KEY_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    STORAGE_CLASS_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    key: str
    size: int
    etag: str
    storage_class: StorageClass
    updated_at: int
    checksum: ObjectChecksum
    def __init__(self, key: _Optional[str] = ..., size: _Optional[int] = ..., etag: _Optional[str] = ..., storage_class: _Optional[_Union[StorageClass, str]] = ..., updated_at: _Optional[int] = ..., checksum: _Optional[_Union[ObjectChecksum, _Mapping]] = ...) -> None: ...

class ObjectVersionSummary(_message.Message):
    __slots__ = ("key", "version_id", "is_latest", "delete_marker", "size", "etag", "storage_class", "updated_at", "checksum")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    IS_LATEST_FIELD_NUMBER: _ClassVar[int]
    DELETE_MARKER_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    STORAGE_CLASS_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    key: str
    version_id: str
    is_latest: bool
    delete_marker: bool
    size: int
    etag: str
    storage_class: StorageClass
    updated_at: int
    checksum: ObjectChecksum
    def __init__(self, key: _Optional[str] = ..., version_id: _Optional[str] = ..., is_latest: _Optional[bool] = ..., delete_marker: _Optional[bool] = ..., size: _Optional[int] = ..., etag: _Optional[str] = ..., storage_class: _Optional[_Union[StorageClass, str]] = ..., updated_at: _Optional[int] = ..., checksum: _Optional[_Union[ObjectChecksum, _Mapping]] = ...) -> None: ...

class MultipartUpload(_message.Message):
    __slots__ = ("upload_id", "bucket", "key", "initiated_at", "initiated_by", "storage_class", "checksum_algorithm", "checksum_type")
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    BUCKET_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    INITIATED_AT_FIELD_NUMBER: _ClassVar[int]
    INITIATED_BY_FIELD_NUMBER: _ClassVar[int]
    STORAGE_CLASS_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_TYPE_FIELD_NUMBER: _ClassVar[int]
    upload_id: str
    bucket: str
    key: str
    initiated_at: int
    initiated_by: str
    storage_class: StorageClass
    checksum_algorithm: ChecksumAlgorithm
    checksum_type: ChecksumType
    def __init__(self, upload_id: _Optional[str] = ..., bucket: _Optional[str] = ..., key: _Optional[str] = ..., initiated_at: _Optional[int] = ..., initiated_by: _Optional[str] = ..., storage_class: _Optional[_Union[StorageClass, str]] = ..., checksum_algorithm: _Optional[_Union[ChecksumAlgorithm, str]] = ..., checksum_type: _Optional[_Union[ChecksumType, str]] = ...) -> None: ...

class Part(_message.Message):
    __slots__ = ("part_number", "etag", "size", "uploaded_at", "checksum")
    PART_NUMBER_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    UPLOADED_AT_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    part_number: int
    etag: str
    size: int
    uploaded_at: int
    checksum: ObjectChecksum
    def __init__(self, part_number: _Optional[int] = ..., etag: _Optional[str] = ..., size: _Optional[int] = ..., uploaded_at: _Optional[int] = ..., checksum: _Optional[_Union[ObjectChecksum, _Mapping]] = ...) -> None: ...
