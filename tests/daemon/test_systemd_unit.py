"""The systemd unit in examples/ fits the daemon."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

from lightningstor.cli.server import USAGE_ERROR, _parse
from lightningstor.config import Config
from lightningstor.config.table import by_variable

TEXT = (Path(__file__).parents[2] / "examples" / "systemd" / "lightningstor.service").read_text()


def unit() -> configparser.ConfigParser:
    """The unit as systemd reads it, as far as it has the form of an INI file."""
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read_string(TEXT)
    return parsed


def test_command_lines_are_understood() -> None:
    """Every ExecStart in the unit, those commented out too, is a command line that the daemon takes."""
    commands = [shlex.split(line) for line in re.findall(r"^#?ExecStart=(.*)$", TEXT, re.MULTILINE)]
    assert len(commands) == 2
    for program, *arguments in commands:
        assert program.endswith("/lightningstor-server")
        _parse(arguments)


def test_variables_are_options() -> None:
    """Every variable that the unit sets, or shows how to set, is an option's."""
    names = re.findall(r"^#?Environment=(\w+)=", TEXT, re.MULTILINE)
    assert names
    assert set(names) <= set(by_variable())


def test_stop_time_out_is_long_enough() -> None:
    """systemd waits longer than the grace period and the 2 s after it before it kills."""
    assert float(unit()["Service"]["TimeoutStopSec"]) > Config().limits.stop_grace_seconds + 2


def test_wrong_configuration_is_not_restarted() -> None:
    """The unit does not restart a daemon whose configuration was refused, and waits for its notification."""
    assert unit()["Service"]["RestartPreventExitStatus"] == str(USAGE_ERROR)
    assert unit()["Service"]["Type"] == "notify"
