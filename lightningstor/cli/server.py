"""`lightningstor-server`: the command line of the daemon (SPEC.md §8.3, and what this version adds).

argparse, because the daemon's start has half a second and click takes a tenth of that.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lightningstor import __version__
from lightningstor.config import ConfigError, Loaded, check, load
from lightningstor.config.problems import nearest

__all__ = ["USAGE_ERROR", "run", "server_parser"]

USAGE_ERROR = 2

_FLAGS = {
    "grpc_addr": "server.grpc_addr",
    "s3_addr": "server.s3_addr",
    "admin_addr": "server.admin_addr",
    "log_level": "logging.level",
    "data_dir": "server.data_dir",
    "dev": "server.dev",
    "bucket": "server.buckets",
    "ready_file": "server.ready_file",
}
"""Which option each flag sets."""


def server_parser() -> argparse.ArgumentParser:
    """What reads the arguments of `lightningstor-server`."""
    parser = argparse.ArgumentParser(
        prog="lightningstor-server",
        description="Run a LightningStor daemon: S3, gRPC and the admin port over one data directory.",
        epilog="Every option can also stand in the environment or in a TOML file; `lightningstor config show` lists"
        " all of them with their values.",
        add_help=False,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument
    add("-c", "--config", metavar="PATH", help="Config file path [LIGHTNINGSTOR_CONFIG]")
    add("--grpc-addr", metavar="ADDR", help='gRPC listen address, or "off" [default: 0.0.0.0:9001]')
    add("--s3-addr", metavar="ADDR", help="S3 HTTP listen address [default: 0.0.0.0:9000]")
    add("-l", "--log-level", metavar="LEVEL", help="Log level: debug, info, warn or error [default: info]")
    add(
        "--admin-addr",
        metavar="ADDR",
        help='Listen address of console, admin API, /health, /ready and /metrics, or "off" [default: 127.0.0.1:9003]',
    )
    add("--data-dir", metavar="PATH", help="Data directory [default: /var/lib/lightningstor, or in your data home]")
    add(
        "--dev",
        action="store_true",
        help="For development: access key lightningstor, secret key lightningstor-secret; on loopback only",
    )
    add("--bucket", metavar="NAME", action="append", help="Create the bucket at start; may be given several times")
    add("--ready-file", metavar="PATH", help="Write the bound addresses to PATH, as JSON, when everything is ready")
    add("-h", "--help", action="help", help="Print help")
    add("-V", "--version", action="version", version=f"lightningstor-server {__version__}", help="Print version")
    return parser


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = server_parser()
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        name = unknown[0].partition("=")[0]
        known = [flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")]
        close = nearest(name, known) if name.startswith("-") else None
        parser.error(f"unknown argument {unknown[0]}" + (f"; did you mean {close}?" if close else ""))
    return parsed


def _load(parsed: argparse.Namespace) -> Loaded:
    given = vars(parsed)
    flags = {option: given[name] for name, option in _FLAGS.items() if name in given}
    config_file = Path(given["config"]).expanduser() if "config" in given else None
    loaded = load(flags, config_file=config_file)
    check(loaded)
    return loaded


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the daemon until it is told to stop; the exit code."""
    parsed = _parse(arguments)
    try:
        loaded = _load(parsed)
    except ConfigError as error:
        for problem in error.problems:
            print(f"lightningstor-server: {problem}", file=sys.stderr)
        return USAGE_ERROR
    from lightningstor.daemon.process import run_daemon

    return run_daemon(loaded)
