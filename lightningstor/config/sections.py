"""Every section and option of the configuration (SPEC.md §8.1, and what this version adds).

Sizes and durations are in the unit that ends the option's name.
"""

# ruff: noqa: RUF009
# `option` makes an attrs field; what it is called with is the default. Neither `__eq__` nor `__repr__` is made: they
# would take 4 ms of every start, and secrets could be printed by accident.

from pathlib import Path
from typing import Literal

from attrs import NOTHING, field, frozen

from lightningstor.config.admin import AdminSettings
from lightningstor.config.audit import AuditSettings
from lightningstor.config.option import Bounds, Section, option
from lightningstor.config.rules import (
    ACCESS_KEY,
    BUCKET_NAME,
    BUCKET_NAMES,
    ENDPOINT,
    IDENTIFIER,
    IDENTIFIERS,
    NETWORKS,
    NOT_NEGATIVE,
    POSITIVE,
    PUBLIC_URL,
    REGION,
    SEAL_KEY,
    SECONDS,
    SECRET_KEY,
)
from lightningstor.config.tracing import TracingSettings
from lightningstor.config.values import Address

__all__ = [
    "SECTIONS",
    "AdminSettings",
    "AuditSettings",
    "BucketSettings",
    "Config",
    "DistributedSettings",
    "IamSettings",
    "LimitsSettings",
    "LoggingSettings",
    "MetadataSettings",
    "PrincipalSettings",
    "QuotaSettings",
    "S3Settings",
    "ServerSettings",
    "StorageSettings",
    "TlsSettings",
    "TracingSettings",
]

MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40


@frozen(eq=False, repr=False)
class TlsSettings(Section):
    """TLS for the S3 and the gRPC port; on as soon as `cert_file` is set. Nothing is served in the clear beside it."""

    cert_file: Path | None = option(None, "The server's certificate with its chain, PEM.")
    key_file: Path | None = option(None, "The certificate's private key, PEM.")
    ca_file: Path | None = option(None, "Certificates of the authorities that vouch for clients, PEM.")
    client_auth: Literal["none", "optional", "required"] | None = option(
        None,
        "Whether clients show a certificate; one that is shown is always verified.",
        applies="`optional` with `ca_file`, otherwise `none`",
    )
    min_version: Literal["1.2", "1.3"] = option("1.3", "The oldest version of TLS that is spoken.")
    reload_seconds: float = option(
        10.0,
        "How often is looked whether a file has changed; new connections get the new certificates then, as they do"
        " after SIGHUP. Files that cannot be used change nothing. 0: only after SIGHUP.",
        rule=Bounds(0),
    )


@frozen(eq=False, repr=False)
class ServerSettings(Section):
    """Where the daemon listens and where its data directory is."""

    s3_addr: Address = option(
        Address("0.0.0.0", 9000), "S3 HTTP listen address.", flag="--s3-addr", dev_default=Address("127.0.0.1", 9000)
    )
    grpc_addr: Address | None = option(
        Address("0.0.0.0", 9001), "gRPC listen address.", flag="--grpc-addr", dev_default=Address("127.0.0.1", 9001)
    )
    admin_addr: Address | None = option(
        Address("127.0.0.1", 9003),
        "Listen address of the admin port: the web console, the admin API, /health, /ready and /metrics.",
        flag="--admin-addr",
    )
    admin_plaintext: bool = option(
        False,
        "Serve the admin port without TLS where other machines can reach it, because something in front of it speaks"
        " TLS. Otherwise such an address needs [server.tls].",
    )
    metrics_token: str | None = option(
        None,
        "A bearer token for /metrics on an address that other machines can reach; on loopback it is open to all."
        " An administrator's own token is taken too.",
        secret=True,
        rule=SECRET_KEY,
    )
    data_dir: Path | None = option(
        None,
        "The data directory: metadata, chunks, credentials and the seal key.",
        flag="--data-dir",
        applies="/var/lib/lightningstor; for a user without rights there, lightningstor/ in the XDG data home",
    )
    dev: bool = option(
        False,
        "For development: root is access key lightningstor with secret lightningstor-secret, and every address must"
        " be a loopback one.",
        flag="--dev",
    )
    buckets: tuple[str, ...] = option(
        (),
        "Buckets to create at start, in organisation `default`, beside those of [[buckets]].",
        flag="--bucket",
        rule=BUCKET_NAMES,
    )
    ready_file: Path | None = option(
        None,
        "A file that is written once everything is ready, with the bound addresses and the process id as JSON, and"
        " removed at the end.",
        flag="--ready-file",
    )
    trusted_proxies: tuple[str, ...] = option(
        (),
        "Addresses or networks of proxies whose X-Forwarded-For tells clients' addresses for logs. Nobody else's does.",
        rule=NETWORKS,
    )
    tls: TlsSettings = field(factory=TlsSettings)


@frozen(eq=False, repr=False)
class MetadataSettings(Section):
    """Where names and metadata are kept."""

    backend: Literal["auto", "sqlite", "memory", "chainfire"] = option(
        "auto",
        "auto: sqlite, or memory where `storage.backend` is memory. chainfire is not in this version.",
    )
    chainfire_endpoints: tuple[str, ...] = option((), "Chainfire servers; not in this version.")
    cache_bytes: int = option(96 * MIB, "Memory for the cache of records.", rule=Bounds(0))


@frozen(eq=False, repr=False)
class DistributedSettings(Section):
    """Storage nodes; not in this version."""

    nodes: tuple[str, ...] = option((), "URLs of the storage nodes.")
    replication_factor: int = option(3, "Copies of every chunk.", rule=POSITIVE)
    placement_strategy: Literal["random", "consistent_hash", "zone_aware"] = option(
        "consistent_hash", "How nodes are chosen for a chunk."
    )


@frozen(eq=False, repr=False)
class StorageSettings(Section):
    """Where the objects' bytes are kept."""

    backend: Literal["local", "memory", "distributed"] = option(
        "local", "memory keeps everything in memory and forgets it at the end. distributed is not in this version."
    )
    data_dir: Path | None = option(
        None,
        "Where chunk files lie, if elsewhere than in the data directory.",
        variable="LIGHTNINGSTOR_STORAGE_DATA_DIR",
        applies="chunks/ in the data directory",
    )
    chunk_size_bytes: int = option(8 * MIB, "Size of the chunks of a large object.", rule=Bounds(MIB, 64 * MIB))
    shard_depth: int = option(2, "Levels of directories above the chunk files.", rule=Bounds(1, 4))
    buffer_budget_bytes: int = option(
        128 * MIB, "Memory for object bytes on their way through the daemon.", rule=Bounds(16 * MIB)
    )
    threads: int = option(32, "Threads for disk access and hashing.", rule=Bounds(4, 256))
    distributed: DistributedSettings = field(factory=DistributedSettings)


@frozen(eq=False, repr=False, kw_only=True)
class PrincipalSettings(Section):
    """One principal with one access key."""

    id: str = option(NOTHING, "Its id, unique in the store.", rule=IDENTIFIER)
    org: str = option("default", "The organisation that it belongs to.", rule=IDENTIFIER)
    project: str | None = option(None, "The project that it is bound to; without: to none.", rule=IDENTIFIER)
    canonical_id: str | None = option(None, "What S3 shows as its owner id.", applies="derived from `org` and `id`")
    display_name: str | None = option(None, "What S3 shows as its owner name.", applies="`id`")
    email: str | None = option(None, "For people.")
    access_key: str = option(NOTHING, "Its access key id.", rule=ACCESS_KEY)
    secret_key: str = option(NOTHING, "Its secret access key.", secret=True, rule=SECRET_KEY)
    admin: bool = option(False, "May do everything, in every organisation.")
    role: Literal["owner", "writer", "reader", "none"] = option(
        "owner",
        "What it may do in its organisation or project without grants: everything, write objects, read, or nothing.",
    )
    groups: tuple[str, ...] = option((), "The groups of its organisation that it is in.", rule=IDENTIFIERS)


@frozen(eq=False, repr=False)
class IamSettings(Section):
    """Who may use the store."""

    endpoint: str | None = option(
        None,
        "Aegis, the platform's IAM service, which then decides who may do what: https://host:port, or http:// on a"
        " network of its own. Without an answer of its nothing is allowed.",
        rule=ENDPOINT,
        applies="this store decides, by roles and grants",
    )
    service_account: str = option("lightningstor", "The account that asks Aegis.", rule=IDENTIFIER)
    token_path: Path | None = option(
        None, "The file with the token of the service account; read again when Aegis refuses the token."
    )
    ca_file: Path | None = option(
        None, "Certificates of the authorities that vouch for Aegis, PEM.", applies="the system's"
    )
    cert_file: Path | None = option(None, "The certificate that this daemon shows to Aegis, PEM.")
    key_file: Path | None = option(None, "The certificate's private key, PEM.")
    decision_deadline_seconds: float = option(2.0, "How long an answer of Aegis is waited for.", rule=SECONDS)
    decision_cache_seconds: float = option(
        5.0,
        "How long an answer of Aegis is good, so how late a revocation may be felt; 0: every request asks.",
        rule=Bounds(0, 3600),
    )
    decision_cache_entries: int = option(10_000, "Answers of Aegis that are kept at most.", rule=POSITIVE)
    root_access_key: str | None = option(
        None,
        "Access key of root, who is an admin; overrides the stored one. Set both root options or neither.",
        variable="LIGHTNINGSTOR_ROOT_ACCESS_KEY",
        also=("MINIO_ROOT_USER",),
        file_form=True,
        rule=ACCESS_KEY,
        applies="made at the first start and kept in `credentials` in the data directory",
    )
    root_secret_key: str | None = option(
        None,
        "Secret key of root.",
        variable="LIGHTNINGSTOR_ROOT_SECRET_KEY",
        also=("MINIO_ROOT_PASSWORD",),
        secret=True,
        rule=SECRET_KEY,
        applies="made at the first start and kept in `credentials` in the data directory",
    )
    seal_key: str | None = option(
        None,
        "The key under which stored secrets are sealed: 32 bytes in hexadecimal.",
        variable="LIGHTNINGSTOR_SEAL_KEY",
        secret=True,
        rule=SEAL_KEY,
        applies="made at the first start and kept in `seal.key` in the data directory",
    )
    max_keys_per_principal: int = option(
        20, "Access keys and API keys of one principal together.", rule=Bounds(1, 1000)
    )
    max_grants: int = option(
        100, "Grants attached to one principal, to one group, or to all of an organisation.", rule=Bounds(1, 1000)
    )
    max_groups: int = option(20, "Groups that one principal is in.", rule=Bounds(1, 100))
    max_token_ttl_seconds: int = option(604800, "How long a bearer token may be good.", rule=Bounds(1, 31536000))
    principals: tuple[PrincipalSettings, ...] = ()


@frozen(eq=False, repr=False)
class S3Settings(Section):
    """How the S3 endpoint answers."""

    region: str = option("us-east-1", "The region that every bucket lies in.", rule=REGION)
    signature_version: Literal["v4"] = option("v4", "The signature version of S3 requests.")
    signature_v2: Literal["off", "presigned", "on"] = option(
        "presigned",
        "Signature version 2, which boto3 and s3cmd still presign with at a custom endpoint: in presigned URLs only,"
        " everywhere (on), or nowhere (off).",
    )
    presigned_url_ttl_seconds: int = option(
        3600,
        "How long presigned URLs that the store itself makes are good; no limit for others'.",
        rule=Bounds(1, 604800),
    )
    domains: tuple[str, ...] = option(
        ("localhost",), "Domains below which a bucket's name may stand in the host name (bucket.localhost)."
    )
    host_aliases: tuple[str, ...] = option(
        (),
        "Other names, with port, under which clients reach the store: a presigned URL may be signed for any of them.",
    )
    public_url: str | None = option(
        None,
        "Where browsers reach S3, such as https://s3.example.org; the console's links that are given away begin so.",
        rule=PUBLIC_URL,
        applies="the host name under which the console is reached, with S3's port",
    )
    strict_names: bool = option(False, "Bucket names without dots, as the specification has them.")
    strict_region: bool = option(False, "Refuse requests that are signed for another region.")
    bucket_names: Literal["global", "scoped"] = option(
        "global",
        "global: a name exists once in the store, as in S3. scoped: once in an organisation or project, and S3 looks in"
        " the caller's project and then its organisation. It cannot be changed while the store has buckets.",
    )
    access_log_interval_seconds: float = option(
        300.0, "How long lines of buckets' access logs wait before they are delivered.", rule=SECONDS
    )
    access_log_object_bytes: int = option(
        MIB, "Lines of one bucket's access log beyond which they are delivered at once.", rule=Bounds(1024)
    )
    access_log_waiting_bytes: int = option(
        64 * MIB, "Lines of all access logs that may wait in memory; further ones are dropped.", rule=Bounds(65536)
    )
    engine: Literal["native", "hypercorn"] = option("native", "The HTTP server.")


@frozen(eq=False, repr=False)
class LimitsSettings(Section):
    """Limits. A request beyond one is refused, and told which."""

    max_object_size_bytes: int = option(5 * TIB, "Size of one object.", rule=Bounds(1, 5 * TIB))
    max_put_size_bytes: int = option(5 * GIB, "Size of an object that is put in one request.", rule=Bounds(1, 5 * TIB))
    min_part_size_bytes: int = option(
        5 * MIB, "Size of a part of a multipart upload, but for its last.", rule=Bounds(1, 5 * GIB)
    )
    max_part_size_bytes: int = option(5 * GIB, "Size of a part of a multipart upload.", rule=Bounds(1, 5 * TIB))
    max_multipart_parts: int = option(10_000, "Parts of a multipart upload.", rule=Bounds(1, 10_000))
    multipart_upload_timeout_hours: int = option(168, "How long a multipart upload stays open.", rule=Bounds(1))
    max_keys_per_list: int = option(1000, "Entries of one page of a listing.", rule=Bounds(1, 1000))
    max_key_bytes: int = option(1024, "Length of an object key in UTF-8.", rule=Bounds(1, 1024))
    max_metadata_bytes: int = option(2048, "User metadata of one object, names and values.", rule=Bounds(0, 65536))
    max_object_tags: int = option(10, "Tags of one object.", rule=Bounds(0, 1000))
    max_bucket_tags: int = option(50, "Tags of one bucket.", rule=Bounds(0, 1000))
    max_buckets: int = option(10_000, "Buckets of an organisation that has no limit of its own.", rule=Bounds(1))
    max_inline_bytes: int = option(
        64 * 1024,
        "Objects up to this size lie in the metadata store, without a file of their own.",
        rule=Bounds(0, 65536),
    )
    max_document_bytes: int = option(4 * MIB, "Size of an XML document in a request.", rule=Bounds(65536, 64 * MIB))
    clock_skew_seconds: float = option(900.0, "How far a request's date may be from our clock.", rule=SECONDS)
    commit_deadline_seconds: float = option(
        10.0, "How long a write that meets other writes of the same key is tried again.", rule=SECONDS
    )
    gc_grace_seconds: float = option(60.0, "How long replaced and deleted bytes are kept.", rule=Bounds(0))
    keepalive_after_seconds: float = option(
        10.0, "When a long CompleteMultipartUpload or copy starts to answer with whitespace.", rule=SECONDS
    )
    stop_grace_seconds: float = option(
        10.0, "How long running requests may go on when the daemon is told to stop.", rule=Bounds(0)
    )
    device_deadline_seconds: float = option(
        120.0,
        "A disk operation that takes longer means that the device hangs: the daemon ends itself.",
        rule=SECONDS,
    )
    header_bytes: int = option(16384, "Size of a request's head.", rule=Bounds(1024, MIB))
    header_timeout_seconds: float = option(
        10.0, "Time for a request's head to arrive, and for a TLS handshake.", rule=SECONDS
    )
    idle_timeout_seconds: float = option(75.0, "How long an unused connection is kept.", rule=SECONDS)
    min_body_rate_bytes_per_second: int = option(1024, "A body that arrives more slowly is given up.", rule=POSITIVE)
    body_rate_window_seconds: float = option(30.0, "Over which time a body's rate is measured.", rule=SECONDS)
    write_stall_seconds: float = option(
        60.0, "A client that reads nothing of its answer for so long is dropped.", rule=SECONDS
    )
    max_connections: int = option(10_000, "Open connections of a listener.", rule=POSITIVE)
    max_requests_in_flight: int = option(
        1024, "Requests at work at once; further ones get 503 SlowDown.", rule=POSITIVE
    )
    grpc_max_connections: int = option(1000, "Open connections of the gRPC port.", rule=POSITIVE)
    grpc_max_calls_per_connection: int = option(100, "Calls at once on one gRPC connection.", rule=POSITIVE)
    grpc_message_bytes: int = option(
        4 * MIB, "Size of a message to the gRPC port, with the object that PutObject stores.", rule=Bounds(65536, GIB)
    )
    grpc_room_bytes: int = option(
        128 * MIB,
        "Memory for gRPC messages larger than a window, of all calls together; at least one message's.",
        rule=Bounds(MIB),
    )
    grpc_window_bytes: int = option(
        256 * 1024, "What a gRPC client may send on one call ahead of its being read.", rule=Bounds(65535, 2 * GIB - 1)
    )
    grpc_resets: int = option(
        200, "A gRPC client that resets more calls than this in 10 seconds is dropped.", rule=POSITIVE
    )
    grpc_message_seconds: float = option(
        120.0, "How long a gRPC call waits for the whole of its next message.", rule=SECONDS
    )
    grpc_idle_seconds: float = option(300.0, "How long a gRPC connection without a call is kept.", rule=SECONDS)


@frozen(eq=False, repr=False)
class LoggingSettings(Section):
    """What is logged, to standard error."""

    level: Literal["debug", "info", "warn", "warning", "error"] = option(
        "info", "The least level that is logged.", variable="LIGHTNINGSTOR_LOG_LEVEL", flag="--log-level"
    )
    format: Literal["json", "console"] = option(
        "json",
        "One JSON object a line, or lines for people.",
        variable="LIGHTNINGSTOR_LOG_FORMAT",
        dev_default="console",
    )


@frozen(eq=False, repr=False, kw_only=True)
class BucketSettings(Section):
    """One bucket to create at start."""

    name: str = option(NOTHING, "Its name.", rule=BUCKET_NAME)
    org: str = option("default", "The organisation that it belongs to.", rule=IDENTIFIER)
    project: str | None = option(None, "The project that it belongs to; without: to all.", rule=IDENTIFIER)
    versioning: Literal["Disabled", "Enabled", "Suspended"] = option(
        "Disabled", "Its versioning, set when it is created; an existing bucket is left as it is."
    )
    max_size_bytes: int | None = option(
        None, "Bytes that it may hold, all versions and open uploads together; set at every start.", rule=NOT_NEGATIVE
    )
    max_objects: int | None = option(
        None, "Versions that it may hold, delete markers left out; set at every start.", rule=NOT_NEGATIVE
    )


@frozen(eq=False, repr=False, kw_only=True)
class QuotaSettings(Section):
    """Limits of an organisation, or of a project of it; set at every start."""

    org: str = option(NOTHING, "The organisation.", rule=IDENTIFIER)
    project: str | None = option(None, "The project; without: the whole organisation.", rule=IDENTIFIER)
    max_buckets: int | None = option(
        None, "Buckets. An organisation without a limit has `limits.max_buckets`.", rule=NOT_NEGATIVE
    )
    max_total_size_bytes: int | None = option(
        None, "Bytes of all its buckets together, versions and open uploads included.", rule=NOT_NEGATIVE
    )
    max_objects_per_bucket: int | None = option(
        None, "Versions in each of its buckets, delete markers left out.", rule=NOT_NEGATIVE
    )
    max_object_size_bytes: int | None = option(None, "Size of each of its objects.", rule=NOT_NEGATIVE)


@frozen(eq=False, repr=False)
class Config(Section):
    """The whole configuration of a daemon."""

    server: ServerSettings = field(factory=ServerSettings)
    metadata: MetadataSettings = field(factory=MetadataSettings)
    storage: StorageSettings = field(factory=StorageSettings)
    iam: IamSettings = field(factory=IamSettings)
    s3: S3Settings = field(factory=S3Settings)
    limits: LimitsSettings = field(factory=LimitsSettings)
    logging: LoggingSettings = field(factory=LoggingSettings)
    audit: AuditSettings = field(factory=AuditSettings)
    tracing: TracingSettings = field(factory=TracingSettings)
    admin: AdminSettings = field(factory=AdminSettings)
    buckets: tuple[BucketSettings, ...] = ()
    quotas: tuple[QuotaSettings, ...] = ()

    @property
    def admin_tls(self) -> bool:
        """Whether the admin port speaks TLS: where other machines reach it, if there is a certificate."""
        address = self.server.admin_addr
        return address is not None and not address.loopback and self.server.tls.cert_file is not None


SECTIONS: dict[str, type] = {
    "server": ServerSettings,
    "server.tls": TlsSettings,
    "metadata": MetadataSettings,
    "storage": StorageSettings,
    "storage.distributed": DistributedSettings,
    "iam": IamSettings,
    "s3": S3Settings,
    "limits": LimitsSettings,
    "logging": LoggingSettings,
    "audit": AuditSettings,
    "tracing": TracingSettings,
    "admin": AdminSettings,
}
"""The TOML tables and their classes, in the order in which they are shown."""
