"""Generate `rpc/gen` from `protos`: `python -m lightningstor.rpc.generate [--check]`; needs grpcio-tools.

Modules must lie in our own package (a top-level `grpc` is grpcio's), and their imports follow the .proto's path; so
each .proto is compiled under the path of the module that it becomes. purerpc's plugin refuses `optional` fields, as it
does not declare FEATURE_PROTO3_OPTIONAL; the wrapper below declares it for the plugin.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["PROTOS", "generate", "main"]

_ROOT: Final = Path(__file__).resolve().parents[2]
_PACKAGE: Final = "lightningstor/rpc/gen"
PROTOS: Final = {
    "grpc/health/v1/health.proto": "grpc_health_v1",
    "grpc/reflection/v1/reflection.proto": "grpc_reflection_v1",
    "grpc/reflection/v1alpha/reflection.proto": "grpc_reflection_v1alpha",
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


def generate(target: Path) -> None:
    """Write all generated modules below `target`, as `lightningstor/rpc/gen/*.py`.

    Raises:
        CalledProcessError: protoc refused a .proto; it says why on standard error.
    """
    with tempfile.TemporaryDirectory() as folder:
        sources = Path(folder)
        plugin = sources / "plugin"
        plugin.write_text(f"#!{sys.executable}\n{_PLUGIN}", encoding="utf-8")
        plugin.chmod(0o755)
        for proto, module in PROTOS.items():
            copy = sources / _PACKAGE / f"{module}.proto"
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_ROOT / "protos" / proto, copy)
        subprocess.run(
            [
                *(sys.executable, "-m", "grpc_tools.protoc", f"-I{sources}", f"--python_out={target}"),
                *(f"--purerpc_out={target}", f"--plugin=protoc-gen-purerpc={plugin}"),
                *(f"{_PACKAGE}/{module}.proto" for module in PROTOS.values()),
            ],
            check=True,
        )


def main() -> int:
    """Generate in place, or with --check say whether what is there is current."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if something would change")
    check: bool = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) if check else _ROOT
        (target / _PACKAGE).mkdir(parents=True, exist_ok=True)
        generate(target)
        stale = [
            made.name
            for made in sorted((target / _PACKAGE).glob("*_*.py"))
            if made.read_bytes() != (_ROOT / _PACKAGE / made.name).read_bytes()
        ]
    for name in stale:
        print(f"{_PACKAGE}/{name} is not what protos make of it: run python -m lightningstor.rpc.generate")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
