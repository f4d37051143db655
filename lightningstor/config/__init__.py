"""The daemon's configuration: options, where they come from, what is wrong with them."""

from lightningstor.config.check import DEV_ACCESS_KEY, DEV_SECRET_KEY, check
from lightningstor.config.load import Loaded, load
from lightningstor.config.problems import ConfigError
from lightningstor.config.sections import (
    AdminSettings,
    AuditSettings,
    BucketSettings,
    Config,
    DistributedSettings,
    IamSettings,
    LimitsSettings,
    LoggingSettings,
    MetadataSettings,
    PrincipalSettings,
    S3Settings,
    ServerSettings,
    StorageSettings,
    TlsSettings,
    TracingSettings,
)
from lightningstor.config.values import Address

__all__ = [
    "DEV_ACCESS_KEY",
    "DEV_SECRET_KEY",
    "Address",
    "AdminSettings",
    "AuditSettings",
    "BucketSettings",
    "Config",
    "ConfigError",
    "DistributedSettings",
    "IamSettings",
    "LimitsSettings",
    "Loaded",
    "LoggingSettings",
    "MetadataSettings",
    "PrincipalSettings",
    "S3Settings",
    "ServerSettings",
    "StorageSettings",
    "TlsSettings",
    "TracingSettings",
    "check",
    "load",
]
