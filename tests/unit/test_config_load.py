"""Where options come from, and what is said about those that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightningstor.config import Address, ConfigError, load
from lightningstor.config.load import DEFAULT, Loaded

SPECIFICATION_EXAMPLE = """
[server]
grpc_addr = "0.0.0.0:9001"
s3_addr = "0.0.0.0:9000"
[server.tls]
cert_file = "/etc/lightningstor/tls/server.crt"
key_file = "/etc/lightningstor/tls/server.key"
ca_file = "/etc/lightningstor/tls/ca.crt"
[metadata]
backend = "chainfire"
chainfire_endpoints = ["http://chainfire-1:2379", "http://chainfire-2:2379"]
[storage]
backend = "local" # "local" | "distributed"
data_dir = "/var/lib/lightningstor/data"
chunk_size_bytes = 8388608 # 8 MiB
shard_depth = 2
[storage.distributed]
nodes = ["http://store-1:9002", "http://store-2:9002", "http://store-3:9002"]
replication_factor = 3
placement_strategy = "consistent_hash"
[iam]
endpoint = "http://aegis:9090"
service_account = "lightningstor"
token_path = "/var/run/secrets/iam/token"
[s3]
region = "us-east-1"
signature_version = "v4"
presigned_url_ttl_seconds = 3600
[limits]
max_object_size_bytes = 5497558138880
max_multipart_parts = 10000
multipart_upload_timeout_hours = 168
max_keys_per_list = 1000
[logging]
level = "info"
format = "json"
"""


def read(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Loaded:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return load(config_file=file, environ=environ or {})


def problems(tmp_path: Path, text: str = "", environ: dict[str, str] | None = None) -> list[str]:
    """What is said, the file's path shortened to `config.toml`."""
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, text, environ)
    return [problem.replace(str(tmp_path) + "/", "") for problem in raised.value.problems]


def test_every_section_of_the_specification_is_read(tmp_path: Path) -> None:
    """The file of SPEC.md §8.1 is understood, every section of it, as it stands."""
    config = read(tmp_path, SPECIFICATION_EXAMPLE).config
    assert config.server.s3_addr == Address("0.0.0.0", 9000)
    assert config.server.tls.ca_file == Path("/etc/lightningstor/tls/ca.crt")
    assert config.metadata.chainfire_endpoints == ("http://chainfire-1:2379", "http://chainfire-2:2379")
    assert config.storage.data_dir == Path("/var/lib/lightningstor/data")
    assert config.storage.distributed.replication_factor == 3
    assert config.iam.token_path == Path("/var/run/secrets/iam/token")
    assert config.s3.signature_version == "v4"
    assert config.limits.max_object_size_bytes == 5497558138880


def test_flag_beats_variable_beats_file_beats_default(tmp_path: Path) -> None:
    """Each layer replaces the one before it, and the value tells which layer it is from."""
    file = tmp_path / "config.toml"
    file.write_text('[server]\ns3_addr = "127.0.0.1:1"\ngrpc_addr = "127.0.0.1:1"\nadmin_addr = "127.0.0.1:1"\n')
    environ = {"LIGHTNINGSTOR_S3_ADDR": "127.0.0.1:2", "LIGHTNINGSTOR_GRPC_ADDR": "127.0.0.1:2"}
    loaded = load({"server.s3_addr": "127.0.0.1:3"}, config_file=file, environ=environ)
    server = loaded.config.server
    assert (server.s3_addr.port, server.grpc_addr, server.admin_addr) == (
        3,
        Address("127.0.0.1", 2),
        Address("127.0.0.1", 1),
    )
    assert loaded.origins["server.s3_addr"] == "--s3-addr"
    assert loaded.origins["server.grpc_addr"] == "$LIGHTNINGSTOR_GRPC_ADDR"
    assert loaded.origins["server.admin_addr"] == str(file)
    assert loaded.origins["logging.level"] == DEFAULT
    assert loaded.config.logging.level == "info"


def test_variable_names_the_file(tmp_path: Path) -> None:
    """LIGHTNINGSTOR_CONFIG names the file, and -c goes before it."""
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text('[s3]\nregion = "first-1"\n')
    second.write_text('[s3]\nregion = "second-1"\n')
    environ = {"LIGHTNINGSTOR_CONFIG": str(first)}
    assert load(environ=environ).config.s3.region == "first-1"
    assert load(config_file=second, environ=environ).config.s3.region == "second-1"


def test_the_specifications_variables_work() -> None:
    """The variables of SPEC.md §8.2 set what they are said to set; DATA_DIR is the root, not the chunks' place."""
    config = load(
        environ={
            "LIGHTNINGSTOR_GRPC_ADDR": "127.0.0.1:19001",
            "LIGHTNINGSTOR_S3_ADDR": "[::1]:19000",
            "LIGHTNINGSTOR_LOG_LEVEL": "debug",
            "LIGHTNINGSTOR_DATA_DIR": "/srv/store",
        }
    ).config
    assert config.server.grpc_addr == Address("127.0.0.1", 19001)
    assert config.server.s3_addr == Address("::1", 19000)
    assert config.logging.level == "debug"
    assert config.server.data_dir == Path("/srv/store")
    assert config.storage.data_dir is None


def test_variable_of_each_type() -> None:
    """Text from the environment reads as the option's type: integers, numbers, yes and no, lists, `off`."""
    config = load(
        environ={
            "LIGHTNINGSTOR_STORAGE_SHARD_DEPTH": "3",
            "LIGHTNINGSTOR_LIMITS_STOP_GRACE_SECONDS": "0.5",
            "LIGHTNINGSTOR_S3_STRICT_NAMES": "Yes",
            "LIGHTNINGSTOR_S3_DOMAINS": "s3.example.org, localhost",
            "LIGHTNINGSTOR_ADMIN_ADDR": "off",
        }
    ).config
    assert config.storage.shard_depth == 3
    assert config.limits.stop_grace_seconds == 0.5
    assert config.s3.strict_names is True
    assert config.s3.domains == ("s3.example.org", "localhost")
    assert config.server.admin_addr is None


def test_empty_variable_counts_as_unset() -> None:
    """A variable that is set but empty, as compose files leave them, changes nothing."""
    loaded = load(environ={"LIGHTNINGSTOR_S3_REGION": "", "LIGHTNINGSTOR_NO_SUCH": ""})
    assert loaded.config.s3.region == "us-east-1"
    assert loaded.origins["s3.region"] == DEFAULT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIGHTNINGSTOR_SERVICE_HOST", "10.0.0.7"),
        ("LIGHTNINGSTOR_SERVICE_PORT", "9000"),
        ("LIGHTNINGSTOR_SERVICE_PORT_S3_HTTP", "9000"),
        ("LIGHTNINGSTOR_PORT", "tcp://10.0.0.7:9000"),
        ("LIGHTNINGSTOR_PORT_9000_TCP", "tcp://10.0.0.7:9000"),
        ("LIGHTNINGSTOR_PORT_9000_TCP_ADDR", "10.0.0.7"),
        ("LIGHTNINGSTOR_PORT_9000_TCP_PROTO", "tcp"),
        ("LIGHTNINGSTOR_ADMIN_SERVICE_HOST", "10.0.0.8"),
        ("LIGHTNINGSTOR_ADMIN_PORT_9003_TCP_PORT", "9003"),
        ("LIGHTNINGSTOR_NAME", "/web/lightningstor"),
        ("LIGHTNINGSTOR_ENV_PATH", "/usr/bin"),
    ],
)
def test_injected_variables_are_left_alone(name: str, value: str) -> None:
    """What Kubernetes and Docker links put into a container is no option and no error."""
    load(environ={name: value})


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"LIGHTNINGSTOR_S3_ADR": ":9"},
            "environment: unknown variable LIGHTNINGSTOR_S3_ADR; did you mean LIGHTNINGSTOR_S3_ADDR?",
        ),
        (
            {"LIGHTNINGSTOR_PORT": "9000"},
            "environment: unknown variable LIGHTNINGSTOR_PORT; did you mean ",
        ),
        (
            {"LIGHTNINGSTOR_S3_ADDR": "nowhere"},
            '$LIGHTNINGSTOR_S3_ADDR is \'nowhere\', expected an address such as "0.0.0.0:9000", "[::1]:9000" or ":0"',
        ),
        (
            {"LIGHTNINGSTOR_STORAGE_SHARD_DEPTH": "two"},
            "$LIGHTNINGSTOR_STORAGE_SHARD_DEPTH is 'two', expected an integer",
        ),
        (
            {"LIGHTNINGSTOR_STORAGE_SHARD_DEPTH": "9"},
            "$LIGHTNINGSTOR_STORAGE_SHARD_DEPTH is 9, expected a number from 1 to 4",
        ),
        (
            {"LIGHTNINGSTOR_LIMITS_IDLE_TIMEOUT_SECONDS": "nan"},
            "$LIGHTNINGSTOR_LIMITS_IDLE_TIMEOUT_SECONDS is 'nan', expected a number",
        ),
        ({"LIGHTNINGSTOR_DEV": "maybe"}, "$LIGHTNINGSTOR_DEV is 'maybe', expected true or false"),
        (
            {"LIGHTNINGSTOR_ROOT_SECRET_KEY": "short"},
            "$LIGHTNINGSTOR_ROOT_SECRET_KEY expected 8 to 1,024 characters",
        ),
        (
            {"LIGHTNINGSTOR_ROOT_SECRET_KEY": "longenough", "LIGHTNINGSTOR_ROOT_SECRET_KEY_FILE": "/x"},
            "environment: set LIGHTNINGSTOR_ROOT_SECRET_KEY or LIGHTNINGSTOR_ROOT_SECRET_KEY_FILE, not both",
        ),
        (
            {"LIGHTNINGSTOR_ROOT_SECRET_KEY_FILE": "/nowhere/secret"},
            "$LIGHTNINGSTOR_ROOT_SECRET_KEY_FILE: cannot read /nowhere/secret: No such file or directory",
        ),
    ],
)
def test_what_is_said_about_variables(tmp_path: Path, environ: dict[str, str], said: str) -> None:
    """Each mistake in the environment is told with the variable's name and what would be right."""
    (problem,) = problems(tmp_path, environ=environ)
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[storage]\nsharddepth = 2",
            "config.toml: unknown option storage.sharddepth; did you mean storage.shard_depth?",
        ),
        ('[server]\nregion = "x"', "config.toml: unknown option server.region; did you mean s3.region?"),
        ("[storag]\nx = 1", "config.toml: unknown section storag; did you mean storage?"),
        (
            "[logging]\nqqqqqqqq = 1",
            "config.toml: unknown option logging.qqqqqqqq; there are: level, format",
        ),
        ('[storage]\nshard_depth = "2"', "config.toml: storage.shard_depth is '2', expected an integer"),
        ("[storage]\nshard_depth = true", "config.toml: storage.shard_depth is True, expected an integer"),
        ("[storage]\nshard_depth = 0", "config.toml: storage.shard_depth is 0, expected a number from 1 to 4"),
        (
            '[storage]\nbackend = "s3"',
            'config.toml: storage.backend is \'s3\', expected one of "local", "memory", "distributed"',
        ),
        ('[s3]\ndomains = "a,b"', "config.toml: s3.domains is 'a,b', expected a list of strings"),
        ("[limits]\nidle_timeout_seconds = inf", "config.toml: limits.idle_timeout_seconds is inf, expected a number"),
        ("s3 = 1", "config.toml: s3 is a section: write [s3]"),
        ("[iam]\nprincipals = 1", "config.toml: iam.principals is a list of tables: write [[iam.principals]]"),
        ("[buckets]\nname = 'a'", "config.toml: buckets is a list of tables: write [[buckets]]"),
        ("[[buckets]]\norg = 'a'", "config.toml: buckets[1] has no name"),
        (
            "[[quotas]]\norg = 'a'\nmax_buckets = -1",
            "config.toml: quotas[1].max_buckets is -1, expected a number of at least 0",
        ),
        (
            "[[buckets]]\nname = 'abc'\nversionning = 'Enabled'",
            "config.toml: unknown option buckets[1].versionning; did you mean versioning?",
        ),
        (
            "[[buckets]]\nname = '10.0.0.1'",
            "config.toml: buckets[1].name is '10.0.0.1', expected a bucket name by S3's rules",
        ),
        (
            "[[iam.principals]]\nid = 'p'\naccess_key = 'AKIA'",
            "config.toml: iam.principals[1] has no secret_key (or secret_key_file)",
        ),
        (
            "[[iam.principals]]\nid = 'p'\naccess_key = 'AKIA'\nsecret_key = 'short'",
            "config.toml: iam.principals[1].secret_key expected 8 to 1,024 characters",
        ),
        (
            "[[iam.principals]]\nid = 'p/q'\naccess_key = 'AKIA'\nsecret_key = 'longenough'",
            "config.toml: iam.principals[1].id is 'p/q', expected 1 to 128 letters",
        ),
        ("[server", "config.toml: not valid TOML: "),
    ],
)
def test_what_is_said_about_the_file(tmp_path: Path, text: str, said: str) -> None:
    """Each mistake in the file is told with the option, its value and what would be right."""
    (problem,) = problems(tmp_path, text)
    assert problem.startswith(said)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Somebody who mends a configuration sees everything that is wrong with it, not the first thing."""
    found = problems(tmp_path, "[storage]\nsharddepth = 2\nthreads = 1", {"LIGHTNINGSTOR_S3_ADR": "x"})
    assert len(found) == 3


def test_missing_file_is_told(tmp_path: Path) -> None:
    """A configuration file that cannot be read is an error that says why."""
    with pytest.raises(ConfigError, match=r"cannot read the configuration file .*nowhere.toml: No such file"):
        load(config_file=tmp_path / "nowhere.toml", environ={})


def test_secret_from_a_file(tmp_path: Path) -> None:
    """A secret may lie in a file, named in TOML or by a variable; its last line end does not count."""
    secret = tmp_path / "secret"
    secret.write_text("first secret\n")
    text = f"[[iam.principals]]\nid = 'p'\naccess_key = 'AKIA'\nsecret_key_file = '{secret}'\n"
    environ = {
        "LIGHTNINGSTOR_ROOT_ACCESS_KEY": "rootkey",
        "LIGHTNINGSTOR_ROOT_SECRET_KEY_FILE": str(secret),
    }
    loaded = read(tmp_path, text, environ)
    assert loaded.config.iam.principals[0].secret_key == "first secret"
    assert loaded.config.iam.root_secret_key == "first secret"
    assert loaded.origins["iam.root_secret_key"] == "$LIGHTNINGSTOR_ROOT_SECRET_KEY_FILE"


def test_secret_and_its_file_are_too_much(tmp_path: Path) -> None:
    """A secret that is set twice is an error: nobody could say which one counts."""
    found = problems(tmp_path, "[iam]\nroot_secret_key = '12345678'\nroot_secret_key_file = '/x'\n")
    assert "config.toml: iam.root_secret_key_file: set root_secret_key or root_secret_key_file, not both" in found


def test_wrong_secret_is_not_repeated(tmp_path: Path) -> None:
    """What is wrong with a secret is told without the secret."""
    (problem,) = problems(tmp_path, "[iam]\nroot_secret_key = 'hunter2'\n")
    assert "hunter2" not in problem


def test_minio_variables_are_taken() -> None:
    """MINIO_ROOT_USER and _PASSWORD name root's credentials; our own variables go before them."""
    minio = {"MINIO_ROOT_USER": "minioadmin", "MINIO_ROOT_PASSWORD": "miniosecret"}
    config = load(environ=minio).config
    assert (config.iam.root_access_key, config.iam.root_secret_key) == ("minioadmin", "miniosecret")
    ours = {"LIGHTNINGSTOR_ROOT_ACCESS_KEY": "ours", "LIGHTNINGSTOR_ROOT_SECRET_KEY": "our secret"}
    config = load(environ=minio | ours).config
    assert (config.iam.root_access_key, config.iam.root_secret_key) == ("ours", "our secret")


def test_development_listens_on_loopback_and_talks_to_people() -> None:
    """--dev changes defaults, and only defaults."""
    config = load({"server.dev": True, "server.grpc_addr": "127.0.0.2:5"}, environ={}).config
    assert config.server.s3_addr == Address("127.0.0.1", 9000)
    assert config.server.grpc_addr == Address("127.0.0.2", 5)
    assert config.logging.format == "console"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0.0.0.0:9000", Address("0.0.0.0", 9000)),
        (":0", Address("0.0.0.0", 0)),
        ("[::]:9000", Address("::", 9000)),
        ("[0:0::1]:1", Address("::1", 1)),
        ("store.example.org:80", Address("store.example.org", 80)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    """An address is a host and a port; IPv6 ones stand in brackets; what is printed reads back."""
    assert Address.parse(text) == address
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "text", ["", "9000", "::1:9000", "[::1]", "host:65536", "host:-1", "[x]:1", "a b:1", "h:٣", "[10.0.0.1]:1"]
)
def test_what_is_no_address(text: str) -> None:
    """Anything else is refused, not guessed at."""
    with pytest.raises(ValueError, match="address"):
        Address.parse(text)


def test_loopback_addresses() -> None:
    """Loopback is 127.0.0.0/8, ::1 and localhost; everything else can be reached from elsewhere."""
    loopback = [Address(host, 1).loopback for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost")]
    elsewhere = [Address(host, 1).loopback for host in ("0.0.0.0", "::", "10.0.0.1", "example.org")]
    assert all(loopback)
    assert not any(elsewhere)
