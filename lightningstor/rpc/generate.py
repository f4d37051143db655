"""Generate `rpc/gen` from `protos`: `python -m lightningstor.rpc.generate [--check]`; needs grpcio-tools.

Modules must lie in our own package (a top-level `grpc` is grpcio's), while their imports follow the .proto's path: so
each .proto is compiled under its own name, which reflection shows, and the imports are then turned to where the
modules lie. purerpc's plugin refuses `optional` fields, as it does not declare FEATURE_PROTO3_OPTIONAL; the wrapper
below declares it for the plugin.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["PROTOS", "generate", "main"]

_ROOT: Final = Path(__file__).resolve().parents[2]
_PACKAGE: Final = "lightningstor/rpc/gen"
PROTOS: Final = {
    "aegis/v1/iam": "aegis_iam",
    "grpc/health/v1/health": "grpc_health_v1",
    "grpc/reflection/v1/reflection": "grpc_reflection_v1",
    "grpc/reflection/v1alpha/reflection": "grpc_reflection_v1alpha",
    "lightningstor/v1/bucket_service": "bucket_service",
    "lightningstor/v1/object_service": "object_service",
    "lightningstor/v1/types": "types",
    "lightningstor/wire/v1/details": "details",
}
"""Each .proto below `protos`, and the module that it becomes."""

_PLUGIN: Final = """\
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorResponse
from purerpc.protoc_plugin import plugin
plugin.CodeGeneratorResponse = lambda: CodeGeneratorResponse(
    supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
)
plugin.main()
"""
_ENDS: Final = ("_pb2.py", "_pb2.pyi", "_grpc.py")
_IMPORT: Final = re.compile(r"^(?:import ([\w.]+)_pb2|from ([\w.]+) import (\w+)_pb2) as ", re.MULTILINE)


def generate(target: Path) -> None:
    """Write all generated modules below `target`, as `lightningstor/rpc/gen/*`.

    Raises:
        CalledProcessError: protoc refused a .proto; it says why on standard error.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        plugin = made / "plugin"
        plugin.write_text(f"#!{sys.executable}\n{_PLUGIN}", encoding="utf-8")
        plugin.chmod(0o755)
        subprocess.run(
            [
                *(sys.executable, "-m", "grpc_tools.protoc", f"-I{_ROOT / 'protos'}"),
                *(f"--python_out={made}", f"--pyi_out={made}"),
                *(f"--purerpc_out={made}", f"--plugin=protoc-gen-purerpc={plugin}"),
                *(f"{proto}.proto" for proto in PROTOS),
            ],
            check=True,
        )
        for proto, module in PROTOS.items():
            for end in _ENDS:
                source = made / f"{proto}{end}"
                if source.exists() and (end != "_grpc.py" or "purerpc.Service(" in source.read_text(encoding="utf-8")):
                    text = _IMPORT.sub(_moved, source.read_text(encoding="utf-8"))
                    (target / _PACKAGE / f"{module}{end}").write_text(text, encoding="utf-8")


def _moved(found: re.Match[str]) -> str:
    """An import of a generated module, from where that lies; others (protobuf's own) as they are."""
    dotted: str = found[1] or f"{found[2]}.{found[3]}"
    module = PROTOS.get(dotted.replace(".", "/"))
    return found[0] if module is None else f"from {_PACKAGE.replace('/', '.')} import {module}_pb2 as "


def main() -> int:
    """Generate in place, or with --check say whether what is there is current."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if something would change")
    check: bool = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        (target / _PACKAGE).mkdir(parents=True)
        generate(target)
        made = {path.name: path.read_bytes() for path in (target / _PACKAGE).iterdir()}
    there = {path.name: path.read_bytes() for end in _ENDS for path in (_ROOT / _PACKAGE).glob(f"*{end}")}
    if check:
        for name in sorted(name for name in made | there if made.get(name) != there.get(name)):
            print(f"{_PACKAGE}/{name} is not what protos make of it: run python -m lightningstor.rpc.generate")
        return int(made != there)
    for name in there.keys() - made.keys():
        (_ROOT / _PACKAGE / name).unlink()
    for name, text in made.items():
        (_ROOT / _PACKAGE / name).write_bytes(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
