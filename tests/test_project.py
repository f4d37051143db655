"""The project's rules as tests. What breaks one is named with its line, and the message says what to do instead."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from attrs import frozen

import lightningstor
from tests.harness.skips import AllowedSkips, Skip
from tests.interop.clients_table import CLIENTS
from tests.interop.steps import STEPS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "lightningstor"
GENERATED = PACKAGE / "rpc" / "gen"
_NOT_OURS = {".git", ".venv", ".venvs", "__pycache__", "node_modules", "target", "build", "dist", "data"}

FILE_LINES = 500
FUNCTION_LINES = 80
LONG_FILE_LINES, LONG_FILES_SHARE = 400, 0.05


@frozen
class Module:
    """One source file, parsed."""

    path: Path
    source: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """Its path from the repository's root, with slashes."""
        return self.path.relative_to(ROOT).as_posix()

    def at(self, node: ast.AST) -> str:
        """Where a node stands, as `file:line`."""
        return f"{self.name}:{getattr(node, 'lineno', 1)}"

    def line(self, node: ast.AST) -> str:
        """The source line on which a node begins."""
        return self.source.splitlines()[getattr(node, "lineno", 1) - 1]


@cache
def modules(folder: Path) -> tuple[Module, ...]:
    """All Python files below a folder that people wrote."""
    paths = [path for path in files(folder) if path.suffix == ".py" and GENERATED not in path.parents]
    sources = [(path, path.read_text(encoding="utf-8")) for path in paths]
    return tuple(Module(path, source, ast.parse(source)) for path, source in sources)


def files(folder: Path) -> Iterator[Path]:
    """All files below a folder but those that tools make."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if path.name not in _NOT_OURS and not path.name.endswith(("_cache", ".egg-info", ".hypothesis")):
                yield from files(path)
        else:
            yield path


def imported(module: Module) -> Iterator[tuple[ast.stmt, str]]:
    """Each import statement anywhere in a module, with the full name of what it imports."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                yield node, f"{node.module}.{alias.name}"


def within(module: Module, *places: str) -> bool:
    """Whether a module is one of the files, or below one of the folders (which end in a slash)."""
    return any(module.name == place or (place.endswith("/") and module.name.startswith(place)) for place in places)


def refuse(found: list[str], instead: str) -> None:
    """Fail with what was found and what to do instead."""
    assert not found, f"{instead}\n  " + "\n  ".join(found)


def test_threads_only_behind_ports() -> None:
    """Nothing uses trio.to_thread: what blocks goes through `ports.Blocking`."""
    found = [
        module.at(node)
        for module in modules(PACKAGE)
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.Attribute) and node.attr == "to_thread")
        or (isinstance(node, ast.ImportFrom) and any(alias.name == "to_thread" for alias in node.names))
    ]
    refuse(found, "Use `world.blocking.run(function, …)`: simulated worlds run it in their own way.")


_DOORS = {
    ("time", "time"): "world.clock.now_ms()",
    ("time", "time_ns"): "world.clock.now_ms()",
    ("time", "monotonic"): "world.clock.monotonic() (or trio.current_time() for deadlines)",
    ("datetime", "now"): "world.clock.now_ms()",
    ("datetime", "utcnow"): "world.clock.now_ms()",
    ("os", "urandom"): "world.entropy.token_bytes(n)",
    ("uuid", "uuid1"): "world.entropy.token_bytes(n)",
    ("uuid", "uuid4"): "world.entropy.token_bytes(n)",
}
_RANDOM_MODULES = {"random", "secrets"}


def test_time_and_randomness_only_behind_ports() -> None:
    """Clocks and random numbers are read in ports.py alone (the simulated world, seeded, has its own)."""
    found = []
    for module in modules(PACKAGE):
        if within(module, "lightningstor/ports.py", "lightningstor/testing/"):
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                instead = _DOORS.get((node.value.id, node.attr))
                if instead:
                    found.append(f"{module.at(node)}: {node.value.id}.{node.attr}: use {instead}")
        for node, name in imported(module):
            door = _DOORS.get(tuple(name.split(".")[:2]))  # type: ignore[arg-type]
            if door and isinstance(node, ast.ImportFrom):
                found.append(f"{module.at(node)}: {name}: use {door}")
            if name.split(".")[0] in _RANDOM_MODULES:
                found.append(f"{module.at(node)}: {name}: use world.entropy.token_bytes(n)")
    refuse(found, "Take the World's clock and entropy: what reads the real ones cannot be replayed from a seed.")


_HOMES = {
    "hypercorn": ("lightningstor/http/",),
    "quart": ("lightningstor/admin/",),
    "quart_trio": ("lightningstor/admin/",),
    "httptools": ("lightningstor/http/",),
    "purerpc": ("lightningstor/rpc/", "lightningstor/client/", "lightningstor/chunks/remote.py"),
    "apsw": ("lightningstor/kv/",),
}


@pytest.mark.parametrize("library", _HOMES)
def test_library_stays_at_home(library: str) -> None:
    """A library that could be replaced is imported only where its own layer is."""
    found = [
        f"{module.at(node)}: {name}"
        for module in modules(PACKAGE)
        if not within(module, *_HOMES[library])
        for node, name in imported(module)
        if name.split(".")[0] == library
    ]
    refuse(found, f"Only {' and '.join(_HOMES[library])} may import {library}: give what you need a function there.")


def test_sans_io_parts_import_no_event_loop() -> None:
    """s3/wire and model are functions of bytes and values: no trio, no sockets, no threads."""
    loops = {"trio", "anyio", "asyncio", "socket", "threading", "subprocess"}
    found = [
        f"{module.at(node)}: {name}"
        for module in modules(PACKAGE)
        if within(module, "lightningstor/s3/wire/", "lightningstor/model/")
        for node, name in imported(module)
        if name.split(".")[0] in loops
    ]
    refuse(found, "Bytes in, values out: let the caller do the waiting, in s3/ or store/.")


def test_files_are_named_after_their_concept() -> None:
    """No file or folder is called utils, helpers, common or misc."""
    vague = {"util", "utils", "helper", "helpers", "common", "misc", "tools"}
    found = [
        path.relative_to(ROOT).as_posix()
        for path in files(ROOT)
        if vague & {part.partition(".")[0].lower() for part in path.relative_to(ROOT).parts}
    ]
    refuse(found, "Name it after the one concept that it holds.")


def test_files_and_functions_stay_short() -> None:
    """A file is one concept and a function one thought: limits that nobody reaches by accident."""
    long_files = [
        f"{module.name}: {len(module.source.splitlines())} lines"
        for module in modules(PACKAGE)
        if len(module.source.splitlines()) > FILE_LINES
    ]
    refuse(long_files, f"A file has at most {FILE_LINES} lines: part it by concept.")
    long_functions = [
        f"{module.at(node)}: {node.name} has {(node.end_lineno or node.lineno) - node.lineno + 1} lines"
        for module in modules(PACKAGE)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES
    ]
    refuse(long_functions, f"A function has at most {FUNCTION_LINES} lines: name its parts.")
    rather_long = [module.name for module in modules(PACKAGE) if len(module.source.splitlines()) > LONG_FILE_LINES]
    if len(rather_long) > LONG_FILES_SHARE * len(modules(PACKAGE)):
        refuse(rather_long, f"Files of over {LONG_FILE_LINES} lines are to be rare; these are too many:")


def test_catching_everything_has_a_reason() -> None:
    """`except Exception` raises again, or says on its line why nothing narrower does."""
    found = [
        module.at(handler)
        for module in modules(PACKAGE)
        for handler in ast.walk(module.tree)
        if isinstance(handler, ast.ExceptHandler)
        and (handler.type is None or (isinstance(handler.type, ast.Name) and handler.type.id == "Exception"))
        and "#" not in module.line(handler)
        and not any(isinstance(node, ast.Raise) for node in ast.walk(handler))
    ]
    refuse(found, "Catch what is expected, or write the reason behind it: `except Exception:  # …`.")


def test_nothing_is_left_to_do() -> None:
    """No TODO, FIXME, XXX or HACK: what is not done is an issue, or it is done."""
    mark = re.compile(r"#.*\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
    found = [
        f"{module.name}:{number}: {line.strip()}"
        for folder in (PACKAGE, ROOT / "tests")
        for module in modules(folder)
        for number, line in enumerate(module.source.splitlines(), start=1)
        if mark.search(line)
    ]
    refuse(found, "Do it, or say in the docstring what holds today.")


def test_every_test_states_a_fact() -> None:
    """Each test function has a docstring: the fact that it shows."""
    found = [
        f"{module.at(node)}: {node.name}"
        for module in modules(ROOT / "tests")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and module.path.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    refuse(found, "Give the test a docstring that states a fact about the store.")


def _texts() -> Iterator[tuple[str, str]]:
    """Each text file of the checkout, with its name."""
    for path in files(ROOT):
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def test_no_machine_paths() -> None:
    """No file names a folder of the machine that it was written or generated on."""
    # In two pieces each, so that this file does not name them.
    folders = re.compile("|".join(map(re.escape, ("/wo" + "rk/", "/ro" + "ot/", "/opt/wh" + "eels", ".py" + "env/"))))
    found = [
        f"{name}:{text[: match.start()].count(chr(10)) + 1}: {match[0]}"
        for name, text in _texts()
        for match in folders.finditer(text)
    ]
    refuse(found, "Use a path relative to the checkout, or a neutral example such as /srv/data.")


_LOCKS = (
    *sorted((ROOT / "requirements").glob("*.txt")),
    *sorted((ROOT / "tests/interop/clients").glob("*/requirements.txt")),
    ROOT / "tests/admin/schemathesis/requirements.txt",
    *sorted((ROOT / "tests/interop/clients").glob("*/package-lock.json")),
)


@pytest.mark.parametrize("lock", _LOCKS, ids=lambda lock: lock.relative_to(ROOT).as_posix())
def test_lock_names_no_host_and_no_path(lock: Path) -> None:
    """A lock holds names, versions and hashes: it installs from whatever index the machine is set up with."""
    found = [
        f"{number}: {line.strip()}"
        for number, line in enumerate(lock.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(r"://|--(?:extra-)?index-url|--find-links|--trusted-host|@ file:", line.partition("# via")[0])
        # Whom one might give money to, not where the package lies.
        and not re.match(r'\s*"url":', line)
    ]
    refuse(found, "Make it with `make locks`, which leaves hosts and paths out.")


@pytest.mark.parametrize("lock", [lock for lock in _LOCKS if lock.suffix == ".txt"], ids=lambda lock: lock.parent.name)
def test_lock_pins_with_hashes(lock: Path) -> None:
    """Every requirement of a lock is one version with at least one SHA-256."""
    text = re.sub(r"\\\n", " ", lock.read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert lines
    loose = [line for line in lines if not re.fullmatch(r"[\w.-]+==\S+(?:\s+--hash=sha256:[0-9a-f]{64})+\s*", line)]
    refuse(loose, "Make it with `make locks`.")


def _locked(lock: str) -> dict[str, str]:
    """Name and version of everything in a lock of requirements/."""
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    return {name.lower(): version for name, version in re.findall(r"(?m)^([\w.-]+)==(\S+)", text)}


@pytest.mark.parametrize(("extra", "lock"), [("", "runtime.txt"), ("test", "test.txt"), ("lint", "lint.txt")])
def test_lock_covers_what_the_package_asks_for(extra: str, lock: str) -> None:
    """What pyproject.toml asks for stands in the lock that is installed for it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = project["optional-dependencies"][extra] if extra else project["dependencies"]
    names = {re.match(r"[\w.-]+", requirement)[0].lower() for requirement in asked}  # type: ignore[index]
    refuse(sorted(names - set(_locked(lock))), f"{lock} lacks these: run `make locks`.")


def test_locks_agree() -> None:
    """What two locks name both, they name in the same version: one environment takes them all."""
    runtime, test, lint = _locked("runtime.txt"), _locked("test.txt"), _locked("lint.txt")
    differing = [
        f"{name}: {one[name]} and {other[name]}"
        for one, other in ((runtime, test), (test, lint), (runtime, lint))
        for name in one.keys() & other.keys()
        if one[name] != other[name]
    ]
    refuse(differing, "Make them together: `make locks`.")


def test_package_is_typed_and_versioned() -> None:
    """py.typed is there, and the package and the changelog's newest entry name pyproject's version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    newest = re.search(r"(?m)^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert (PACKAGE / "py.typed").exists()
    assert newest
    assert newest[1] == version
    assert lightningstor.__version__ == version


def test_every_file_of_the_package_is_installed() -> None:
    """What is no Python (the console's pages and scripts, stubs) stands in pyproject's package-data: a wheel has it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["lightningstor"]
    left_out = [
        path.relative_to(PACKAGE).as_posix()
        for path in files(PACKAGE)
        if path.suffix != ".py" and not any(path.relative_to(PACKAGE).match(pattern) for pattern in patterns)
    ]
    refuse(left_out, "Name these in [tool.setuptools.package-data] of pyproject.toml.")


def test_entry_points_exist() -> None:
    """The commands that an installation gets are functions of the package."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    for command, target in scripts.items():
        name, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(name), function)), f"{command} is {target}"


def test_allowed_skips_have_reasons(tmp_path: Path) -> None:
    """A pattern in allowed-skips.txt without a reason is refused; one with a reason allows what it matches, no more."""
    AllowedSkips.read(ROOT / "tests" / "allowed-skips.txt")
    listed = tmp_path / "skips.txt"
    listed.write_text("tests/a.py::test_x*\n", encoding="utf-8")
    with pytest.raises(ValueError, match="say why"):
        AllowedSkips.read(listed)
    listed.write_text("# all of them\ntests/a.py::test_x*  # needs a second machine\n", encoding="utf-8")
    allowed, other = Skip("tests/a.py::test_x[1]", "…"), Skip("tests/a.py::test_y", "…")
    assert AllowedSkips.read(listed).refused([allowed, other]) == [other]


def test_matrix_names_every_client_and_step() -> None:
    """docs/interop-matrix.md was written by a run of the clients and steps of today, and nothing failed in it."""
    matrix = (ROOT / "docs" / "interop-matrix.md").read_text(encoding="utf-8")
    missing = [f"client {client.name}" for client in CLIENTS if f"| {client.name} |" not in matrix]
    missing += [f"step {step.name}" for step in STEPS if f"| {step.name}: {step.shows} |" not in matrix]
    refuse(missing, "The matrix lacks these: `make interop` writes it anew.")
    assert "failed" not in matrix
