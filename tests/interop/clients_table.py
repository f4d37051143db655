"""Which clients are tested, and what each needs to run: the columns of the matrix."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from attrs import field, frozen

from tests.interop.environments import BuiltProgram, PythonEnvironment

__all__ = ["CLIENTS", "Client"]

FOLDER = Path(__file__).resolve().parent / "clients"
_GO = "apt-get install -y golang (or a newer Go, which these modules may ask for)"


@frozen(eq=False)
class Client:
    """One client.

    Args:
        name: as the matrix shows it.
        driver: the program that runs the steps, below `clients/`.
        environment: what it is run in: None for the tests' own Python (the client is a command then).
        needs: commands that must be there, each with the line that installs it.
        makes_buckets: whether the client can; if not, its first two are there when the driver starts.
        more: only in `make interop`.
    """

    name: str
    driver: str
    environment: PythonEnvironment | BuiltProgram | None = None
    needs: dict[str, str] = field(factory=dict)
    makes_buckets: bool = True
    more: bool = False

    def missing(self) -> str | None:
        """The line that installs what is missing, or None."""
        for command, line in {"curl": "apt-get install -y curl", **self.needs}.items():
            if shutil.which(command) is None:
                return f"{self.name} needs {command}: {line}"
        return None

    def command(self) -> list[str]:
        """What runs the driver; makes the environment first where there is one."""
        if isinstance(self.environment, PythonEnvironment):
            return [str(self.environment.python()), str(FOLDER / self.driver)]
        if isinstance(self.environment, BuiltProgram):
            return self.environment.command()
        return [sys.executable, str(FOLDER / self.driver)]


def _python(name: str, folder: str, driver: str | None = None, *, makes_buckets: bool = True) -> Client:
    """A client from PyPI, in an environment made from the lock in its folder."""
    lock = FOLDER / folder / "requirements.txt"
    return Client(name, driver or f"{folder}/driver.py", PythonEnvironment(folder, lock), makes_buckets=makes_buckets)


def _go_command(name: str, module: str, version: str, driver: str) -> Client:
    """A command line in Go, installed at a pinned version; its driver gets the program's path and the version."""
    program = BuiltProgram(
        name,
        None,
        build=(("go", "install", f"{module}@{version}"),),
        run=(sys.executable, str(FOLDER / driver), f"{{folder}}/bin/{name}", version),
        environment=(("GOBIN", "{folder}/bin"),),
    )
    return Client(name if name == "mc" else f"{name} {version}", driver, program, needs={"go": _GO}, more=True)


def _go_library(name: str, folder: str) -> Client:
    """A library in Go; go.sum holds what it is built from."""
    program = BuiltProgram(
        f"go-{folder}",
        FOLDER / "go",
        build=(("go", "build", "-o", "{folder}/driver", f"./{folder}"),),
        run=("{folder}/driver",),
    )
    return Client(name, f"go/{folder}/main.go", program, needs={"go": _GO}, more=True)


CLIENTS = (
    _python("boto3", "boto3"),
    _python("boto3[crt]", "boto3_crt", driver="boto3/driver.py"),
    _python("aiobotocore", "aiobotocore"),
    _python("awscli", "awscli"),
    _python("s3fs", "s3fs"),
    _python("minio-py", "minio_py"),
    _python("obstore", "obstore", makes_buckets=False),
    _python("s5cmd", "s5cmd"),
    Client("s3cmd", "s3cmd/driver.py", needs={"s3cmd": "apt-get install -y s3cmd"}),
    Client("rclone", "rclone/driver.py", needs={"rclone": "apt-get install -y rclone"}),
    _go_command("mc", "github.com/minio/mc", "v0.0.0-20250313080218-cf909e1063a9", "mc/driver.py"),
    _go_command("rclone", "github.com/rclone/rclone", "v1.76.0", "rclone/driver.py"),
    Client(
        "aws-sdk-js v3",
        "js/driver.mjs",
        BuiltProgram(
            "js",
            FOLDER / "js",
            build=(("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"),),
            run=("node", "{folder}/driver.mjs"),
        ),
        needs={"node": "apt-get install -y nodejs", "npm": "apt-get install -y npm"},
        more=True,
    ),
    _go_library("aws-sdk-go-v2", "awsv2"),
    _go_library("minio-go", "miniogo"),
    Client(
        "aws-sdk-java v2",
        "java/src/main/java/Driver.java",
        BuiltProgram(
            "java",
            FOLDER / "java",
            build=(
                (
                    "mvn",
                    "-q",
                    "-B",
                    "compile",
                    "dependency:copy-dependencies",
                    "-DincludeScope=runtime",
                    "-DoutputDirectory=lib",
                ),
            ),
            run=("java", "-cp", "{folder}/target/classes:{folder}/lib/*", "Driver"),
        ),
        needs={"mvn": "apt-get install -y maven", "java": "apt-get install -y openjdk-17-jdk-headless"},
        more=True,
    ),
    Client(
        "aws-sdk-rust",
        "rust/src/main.rs",
        BuiltProgram(
            "rust",
            FOLDER / "rust",
            build=(("cargo", "build", "--quiet"),),
            run=("{folder}/target/debug/lightningstor-interop",),
        ),
        needs={"cargo": "install Rust 1.94 or newer with rustup"},
        more=True,
    ),
)
