"""The table of options: what is shown of it, and that it is whole."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import attrs
import pytest

from lightningstor.config import Config, ConfigError, check, load
from lightningstor.config.check import problems_of
from lightningstor.config.reference import reference_page, show, to_toml
from lightningstor.config.sections import SECTIONS
from lightningstor.config.table import ENTRIES, all_options, by_variable, entries_of
from tests.unit.test_config_load import SPECIFICATION_EXAMPLE

REPOSITORY = Path(__file__).parents[2]

EVERYTHING = """
[server]
s3_addr = "[::1]:1"
admin_addr = "off"
data_dir = "/srv/x"
buckets = ["one.bucket", "two"]
[iam]
root_access_key = "root-key"
root_secret_key = "root-secret"
[[iam.principals]]
id = "alice"
org = "acme"
project = "web"
email = "alice@example.org"
access_key = "AKALICE"
secret_key = "alice-secret"
admin = true
[[buckets]]
name = "logs"
versioning = "Enabled"
max_objects = 5
[[quotas]]
org = "acme"
project = "web"
max_buckets = 0
max_total_size_bytes = 1000
[limits]
stop_grace_seconds = 2
"""


def loaded_from(tmp_path: Path, text: str, name: str = "config.toml"):  # type: ignore[no-untyped-def]
    file = tmp_path / name
    file.write_text(text)
    return load(config_file=file, environ={})


@pytest.mark.parametrize("text", ["", EVERYTHING, SPECIFICATION_EXAMPLE])
def test_configuration_survives_toml(tmp_path: Path, text: str) -> None:
    """A configuration written as TOML reads back equal, whatever is set in it."""
    import tomli_w

    config = loaded_from(tmp_path, text).config
    again = loaded_from(tmp_path, tomli_w.dumps(to_toml(config)), "again.toml").config
    assert attrs.asdict(again) == attrs.asdict(config)


def test_what_is_shown_is_toml_without_secrets(tmp_path: Path) -> None:
    """`config show` prints TOML that says the same but for the secrets, which it leaves out."""
    loaded = loaded_from(tmp_path, EVERYTHING)
    shown = show(loaded)
    assert "root-secret" not in shown
    assert "alice-secret" not in shown
    document = tomllib.loads(shown)
    assert document["server"]["s3_addr"] == "[::1]:1"
    assert document["server"]["buckets"] == ["one.bucket", "two"]
    assert document["iam"]["principals"][0]["id"] == "alice"
    assert document["buckets"][0]["versioning"] == "Enabled"
    assert document["quotas"] == [{"org": "acme", "project": "web", "max_buckets": 0, "max_total_size_bytes": 1000}]
    assert document["limits"]["max_key_bytes"] == 1024


def test_what_is_shown_says_where_it_comes_from(tmp_path: Path) -> None:
    """Each option shown has its origin behind it; with --changed only those that somebody set are shown."""
    loaded = loaded_from(tmp_path, '[s3]\nregion = "eu-1"\n')
    assert f'region = "eu-1"  # {tmp_path / "config.toml"}' in show(loaded)
    assert 'level = "info"  # default' in show(loaded)
    assert show(loaded, every=False).split("\n")[0] == "[s3]"
    assert "level" not in show(loaded, every=False)


def test_reference_page_is_current() -> None:
    """docs/configuration.md is what the sections say now."""
    page = (REPOSITORY / "docs" / "configuration.md").read_text()
    assert page == reference_page(), "run: python -m lightningstor.config.reference > docs/configuration.md"


def test_reference_page_names_every_option() -> None:
    """Every option, with its variable and flag, stands on the reference page."""
    page = reference_page()
    for option in all_options():
        assert f"| `{option.name}`" in page
        assert all(f"`{variable}`" in page for variable in option.variables)
    for section in ENTRIES:
        assert all(f"| `{option.name}`" in page for option in entries_of(section))


def test_variables_and_flags_are_unambiguous() -> None:
    """No two options share a variable, its file form included, or a flag."""
    variables = [variable for option in all_options() for variable in option.variables]
    file_forms = [variable + "_FILE" for option in all_options() if option.file_form for variable in option.variables]
    assert len({*variables, *file_forms}) == len(variables) + len(file_forms) == len(by_variable())
    flags = [option.flag for option in all_options() if option.flag]
    assert len(set(flags)) == len(flags)


def test_every_section_is_in_the_configuration() -> None:
    """The table of sections and the attrs classes name the same tables."""
    config = Config()
    for path, cls in SECTIONS.items():
        section = config
        for name in path.split("."):
            section = getattr(section, name)
        assert type(section) is cls


def test_every_option_is_used() -> None:
    """Nothing is accepted and ignored: each option is read somewhere outside its declaration."""
    sources = [
        path.read_text()
        for path in (REPOSITORY / "lightningstor").rglob("*.py")
        if path.name not in ("sections.py", "reference.py")
    ]
    text = "\n".join(sources)
    # What is there for a later version is refused at start (`check`), or has nothing to act on yet.
    later = {"s3.presigned_url_ttl_seconds", "s3.signature_version", "iam.service_account"}
    later |= {"storage.distributed.replication_factor", "storage.distributed.placement_strategy"}
    unused = [
        option.path
        for option in all_options()
        if option.path not in later and not re.search(rf"\.{option.name}\b", text)
    ]
    assert not unused


def test_defaults_obey_their_own_rules() -> None:
    """Every default passes the rule of its option."""
    for option in all_options():
        if option.rule is not None and option.default is not attrs.NOTHING:
            assert option.rule.test(option.default), option.path


def test_section_made_by_hand_is_checked() -> None:
    """A program that makes a section itself meets the same rules."""
    from lightningstor.config import StorageSettings

    with pytest.raises(ValueError, match=r"shard_depth is 9, expected a number from 1 to 4"):
        StorageSettings(shard_depth=9)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[metadata]\nbackend = "chainfire"', 'this version has no "chainfire" yet'),
        ('[storage]\nbackend = "distributed"', 'this version has no "distributed" yet'),
        ('[storage.distributed]\nnodes = ["http://a"]', "no storage nodes yet"),
        ('[iam]\nendpoint = "http://aegis:9090"', "Aegis must know who asks"),
        ('[server.tls]\ncert_file = "a"', "cert_file and key_file go together"),
        ('[server.tls]\nca_file = "a"', "client certificates need TLS"),
        ('[server.tls]\ncert_file = "a"\nkey_file = "b"\nclient_auth = "required"', "needs ca_file"),
        ('[iam]\nroot_access_key = "abc"', "root_access_key and root_secret_key go together"),
        ('[metadata]\nbackend = "memory"', "goes with storage.backend"),
        ('[storage]\nbackend = "memory"\n[metadata]\nbackend = "sqlite"', "forgets the bytes"),
        ('[server]\ndev = true\ns3_addr = "0.0.0.0:9000"', "can be reached from elsewhere"),
        (
            '[server]\ndev = true\n[iam]\nroot_access_key = "abc"\nroot_secret_key = "12345678"',
            "dev brings its own root credentials",
        ),
        ('[s3]\nstrict_names = true\n[server]\nbuckets = ["a.b"]', "bucket a.b has a dot"),
        ("[limits]\nmin_part_size_bytes = 9\nmax_part_size_bytes = 8", "is more than limits.max_part_size_bytes"),
        ('[[buckets]]\nname = "abc"\n[[buckets]]\nname = "abc"', "'abc' occurs 2 times"),
        ('[[quotas]]\norg = "a"\n[[quotas]]\norg = "a"', "'a' occurs 2 times"),
        (
            '[[iam.principals]]\nid = "root"\naccess_key = "abc"\nsecret_key = "12345678"',
            "'root' occurs 2 times",
        ),
    ],
)
def test_what_parses_but_cannot_start(tmp_path: Path, text: str, said: str) -> None:
    """What the specification names and this version lacks, and contradictions, parse and are refused in clear words."""
    loaded = loaded_from(tmp_path, text)
    found = list(problems_of(loaded))
    assert any(said in problem for problem in found), found
    with pytest.raises(ConfigError):
        check(loaded)


@pytest.mark.parametrize("text", ["", EVERYTHING, '[storage]\nbackend = "memory"'])
def test_good_configurations_are_good(tmp_path: Path, text: str) -> None:
    """The defaults, a full configuration and a store in memory have nothing against them."""
    check(loaded_from(tmp_path, text))
