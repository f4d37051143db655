"""Rules between options, and what this version does not have."""

from collections import Counter
from collections.abc import Iterator

from lightningstor.config.load import DEFAULT, Loaded
from lightningstor.config.problems import ConfigError
from lightningstor.config.sections import BucketSettings, Config
from lightningstor.config.tracing import missing_package

__all__ = ["DEV_ACCESS_KEY", "DEV_SECRET_KEY", "check", "problems_of"]

DEV_ACCESS_KEY = "lightningstor"
DEV_SECRET_KEY = "lightningstor-secret"


def check(loaded: Loaded) -> None:
    """See that a daemon can start with this configuration.

    Raises:
        ConfigError: all that stands against it.
    """
    problems = list(problems_of(loaded))
    if problems:
        raise ConfigError(problems)


def problems_of(loaded: Loaded) -> Iterator[str]:
    """Every reason why a daemon cannot start with this configuration, each with where the option was set."""
    config = loaded.config
    for dotted, reason in (*_not_here(config), *_contradictions(config), *_dev(config), *_entries(config)):
        origin = loaded.origins.get(dotted, str(loaded.file) if loaded.file else DEFAULT)
        yield f"{dotted} ({origin}): {reason}"


def _not_here(config: Config) -> Iterator[tuple[str, str]]:
    """What the specification names and this version does not have: refused, never ignored."""
    if config.metadata.backend == "chainfire":
        yield "metadata.backend", 'this version has no "chainfire" yet; use "sqlite" or "memory"'
    if config.metadata.chainfire_endpoints:
        yield "metadata.chainfire_endpoints", "this version has no Chainfire yet; leave it out"
    if config.storage.backend == "distributed":
        yield "storage.backend", 'this version has no "distributed" yet; use "local" or "memory"'
    if config.storage.distributed.nodes:
        yield "storage.distributed.nodes", "this version has no storage nodes yet; leave it out"


def _contradictions(config: Config) -> Iterator[tuple[str, str]]:
    tls, iam, limits = config.server.tls, config.iam, config.limits
    if (tls.cert_file is None) != (tls.key_file is None):
        missing = "cert_file" if tls.cert_file is None else "key_file"
        yield f"server.tls.{missing}", "cert_file and key_file go together: set both or neither"
    if tls.cert_file is None and (tls.ca_file is not None or tls.client_auth is not None):
        yield "server.tls.cert_file", "client certificates need TLS: set cert_file and key_file"
    if tls.client_auth in ("optional", "required") and tls.ca_file is None:
        yield "server.tls.ca_file", f'client_auth = "{tls.client_auth}" needs ca_file to verify certificates by'
    admin = config.server.admin_addr
    if admin is not None and not admin.loopback and tls.cert_file is None and not config.server.admin_plaintext:
        yield (
            "server.admin_addr",
            f"{admin} can be reached from elsewhere, and the admin port would speak plain HTTP: set [server.tls], use a"
            " loopback address, or say server.admin_plaintext = true",
        )
    if (iam.root_access_key is None) != (iam.root_secret_key is None):
        missing = "root_access_key" if iam.root_access_key is None else "root_secret_key"
        yield f"iam.{missing}", "root_access_key and root_secret_key go together: set both or neither"
    yield from _aegis(config)
    audit = config.audit
    if audit.enabled and audit.output == "file" and audit.path is None and config.storage.backend == "memory":
        yield "audit.path", 'a store in memory has no directory for the audit log: name a file, or output = "stdout"'
    package = missing_package(config.tracing)
    if package is not None:
        yield "tracing.enabled", f"{package} is not installed: pip install 'lightningstor[otel]'"
    if (config.storage.backend == "memory") != (config.metadata.backend == "memory"):
        yield from _mixed_backends(config)
    if config.s3.strict_names:
        for name in (*config.server.buckets, *(bucket.name for bucket in config.buckets)):
            if "." in name:
                yield "s3.strict_names", f"bucket {name} has a dot in its name"
    if limits.min_part_size_bytes > limits.max_part_size_bytes:
        yield "limits.min_part_size_bytes", "is more than limits.max_part_size_bytes"
    if config.s3.engine == "hypercorn" and tls.min_version != "1.3" and tls.cert_file is not None:
        yield "server.tls.min_version", "hypercorn speaks TLS by its own rules here; only 1.3 is offered with it"


def _aegis(config: Config) -> Iterator[tuple[str, str]]:
    iam = config.iam
    if iam.endpoint is None:
        for name in ("token_path", "ca_file", "cert_file", "key_file"):
            if getattr(iam, name) is not None:
                yield f"iam.{name}", "is for asking Aegis: set iam.endpoint, or leave it out"
        return
    if (iam.cert_file is None) != (iam.key_file is None):
        missing = "cert_file" if iam.cert_file is None else "key_file"
        yield f"iam.{missing}", "cert_file and key_file go together: set both or neither"
    if iam.endpoint.startswith("http://") and (iam.ca_file or iam.cert_file):
        yield "iam.endpoint", "certificates need https://"
    if iam.token_path is None and iam.cert_file is None:
        yield "iam.endpoint", "Aegis must know who asks: set iam.token_path, or iam.cert_file and iam.key_file"


def _mixed_backends(config: Config) -> Iterator[tuple[str, str]]:
    """Half a store in memory would hold names without bytes, or bytes without names, after a restart."""
    if config.storage.backend == "memory" and config.metadata.backend == "sqlite":
        yield "metadata.backend", 'storage.backend = "memory" forgets the bytes at the end: use "auto" or "memory"'
    if config.metadata.backend == "memory":
        yield "metadata.backend", '"memory" goes with storage.backend = "memory" only'
    if config.storage.backend == "memory" and config.storage.data_dir is not None:
        yield "storage.data_dir", 'storage.backend = "memory" keeps nothing on disk'


def _dev(config: Config) -> Iterator[tuple[str, str]]:
    if not config.server.dev:
        return
    for name in ("s3_addr", "grpc_addr", "admin_addr"):
        address = getattr(config.server, name)
        if address is not None and not address.loopback:
            yield f"server.{name}", f"{address} can be reached from elsewhere, and dev has a well-known secret"
    if config.iam.root_access_key is not None:
        yield "iam.root_access_key", "dev brings its own root credentials: leave one of them out"


def _entries(config: Config) -> Iterator[tuple[str, str]]:
    access_keys = [principal.access_key for principal in config.iam.principals]
    if config.server.dev:
        access_keys.append(DEV_ACCESS_KEY)
    if config.iam.root_access_key is not None:
        access_keys.append(config.iam.root_access_key)
    for name, values in (
        ("iam.principals.access_key", access_keys),
        ("iam.principals.id", [*(principal.id for principal in config.iam.principals), "root"]),
        ("buckets.name", [_unique_name(config, bucket) for bucket in config.buckets]),
        ("quotas.org", [f"{quota.org}/{quota.project}" if quota.project else quota.org for quota in config.quotas]),
    ):
        for value, count in Counter(values).items():
            if count > 1:
                yield name, f"{value!r} occurs {count} times"


def _unique_name(config: Config, bucket: BucketSettings) -> str:
    """What no two buckets have in common."""
    if config.s3.bucket_names == "global":
        return bucket.name
    return "/".join(part for part in (bucket.org, bucket.project, bucket.name) if part is not None)
