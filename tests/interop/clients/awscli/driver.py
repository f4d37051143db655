"""The AWS CLI: `aws s3` for files, `aws s3api` for S3's operations.

Starting it takes most of a second, so only the largest object and the presigning run as processes of their own. All
else goes to the same command line's entry point within this process, with the same arguments.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import awscli
import awscli.clidriver
from botocore import xform_name
from driver_protocol import SMALL_SIZES, check, check_equal, content_md5, multipart_etag, run
from s3api_steps import PART_SIZE, Refused, S3ApiDriver

_ERROR = re.compile(r"An error occurred \((\w+)\) when calling the (\w+) operation")


class AwsCli(S3ApiDriver):
    name = "awscli"

    def __init__(self) -> None:
        super().__init__()
        settings = {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
        }
        if self.ca_file:
            settings["AWS_CA_BUNDLE"] = self.ca_file
        os.environ.update(settings)
        # File names may hold what the locale's encoding lacks.
        os.environ["PYTHONUTF8"] = "1"
        self.command_line = awscli.clidriver.create_clidriver()

    def version(self) -> str:
        return awscli.__version__

    def aws(self, *arguments: str) -> str:
        """Run `aws` as a process."""
        return run([str(Path(sys.executable).with_name("aws")), *arguments])

    def main_line(self, *arguments: str) -> tuple[int, str, str]:
        """Run `aws` within this process: its status, stdout and stderr."""
        out, err = io.StringIO(), io.StringIO()
        # `s3api get-object` leaves a hook behind that takes the bodies away from later commands of `s3`.
        line = self.command_line if arguments[0] == "s3api" else awscli.clidriver.create_clidriver()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = line.main(list(arguments))
        return status, out.getvalue(), err.getvalue()

    def copy_folder(self, source: str, target: str) -> None:
        """`aws s3 cp --recursive`, either way."""
        status, _, err = self.main_line("s3", "cp", "--recursive", "--only-show-errors", source, target)
        check_equal((status, err), (0, ""), f"aws s3 cp {source} {target}")

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        arguments = ["s3api", xform_name(operation, "-"), "--output", "json"]
        body_file = self.work / "body"
        if "Body" in parameters:
            body_file.write_bytes(parameters.pop("Body"))
            arguments += ["--body", str(body_file)]
        if isinstance(parameters.get("CopySource"), dict):
            parameters["CopySource"] = "{Bucket}/{Key}".format_map(parameters["CopySource"])
        if operation == "GetObject":
            # It takes no JSON, as its output is a file.
            arguments += [f"--{xform_name(name, '-')}={value}" for name, value in parameters.items()]
            arguments.append(str(body_file))
        else:
            arguments += ["--cli-input-json", json.dumps(parameters)]
        if "MaxKeys" in parameters:
            arguments.append("--no-paginate")
        status, out, err = self.main_line(*arguments)
        if status:
            refusal = _ERROR.search(err)
            check(refusal, f"aws {' '.join(arguments)} ended with {status}: {err}")
            raise Refused(refusal[1], err)
        answer: dict[str, Any] = json.loads(out) if out.strip() else {}
        if operation == "GetObject":
            answer["Body"] = body_file.read_bytes()
        return answer

    def _round_trip(self, step: str) -> None:
        """`aws s3 cp` of a folder up and down; it makes parts of 8 MiB from 8 MiB on."""
        sizes = SMALL_SIZES[step]
        here, back = self.work / step, self.work / f"{step}-back"
        here.mkdir()
        for size in sizes:
            (here / str(size)).symlink_to(self.file(size))
        # The ranges step reads what the 64 KiB one puts.
        folder = "sizes/" if step == "put_get_64k" else f"{step}/"
        self.copy_folder(str(here), f"s3://{self.bucket}/{folder}")
        self.copy_folder(f"s3://{self.bucket}/{folder}", str(back))
        for size in sizes:
            path = self.file(size)
            check((back / str(size)).read_bytes() == path.read_bytes(), f"{size} bytes came back changed")
            head = self.call("HeadObject", Bucket=self.bucket, Key=f"{folder}{size}")
            expected = content_md5(path) if size < PART_SIZE else multipart_etag(path, PART_SIZE)
            check_equal((head["ETag"], head["ContentLength"]), (f'"{expected}"', size), f"HeadObject, {size} bytes")

    def odd_keys(self) -> None:
        """As files of a folder: none of these names has a slash."""
        here, back, start = self.work / "odd", self.work / "odd-back", "own/odd/"
        keys = self.own_keys("odd")
        here.mkdir()
        for key in keys:
            (here / key.removeprefix(start)).write_bytes(key.encode())
        self.copy_folder(str(here), f"s3://{self.bucket}/{start}")
        check_equal(self.list_keys(self.bucket, start), keys, "listed")
        self.copy_folder(f"s3://{self.bucket}/{start}", str(back))
        for key in keys:
            check_equal((back / key.removeprefix(start)).read_bytes(), key.encode(), f"body of {key!r}")
        status, _, err = self.main_line("s3", "rm", "--recursive", "--quiet", f"s3://{self.bucket}/{start}")
        check_equal((status, err), (0, ""), "aws s3 rm")
        check_equal(self.list_keys(self.bucket, start), [], "listed after all were deleted")

    def call_many(self, operation: str, calls: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Puts by one `aws s3 cp` of a folder, where their keys can be names of files."""
        names = [parameters["Key"].rpartition("/")[2] for parameters in calls]
        folders = {parameters["Key"].rpartition("/")[0] for parameters in calls}
        if operation != "PutObject" or len(folders) > 1 or "" in names or {".", ".."} & set(names):
            return super().call_many(operation, calls)
        here = self.work / "many"
        here.mkdir()
        for name, parameters in zip(names, calls, strict=True):
            (here / name).write_bytes(parameters["Body"])
        self.copy_folder(str(here), f"s3://{self.bucket}/{folders.pop()}/")
        shutil.rmtree(here)
        return [{} for _ in calls]

    def upload(self, path: Path, key: str) -> int:
        self.aws("s3", "cp", "--only-show-errors", str(path), f"s3://{self.bucket}/{key}")
        return PART_SIZE

    def download(self, key: str, path: Path) -> None:
        self.aws("s3", "cp", "--only-show-errors", f"s3://{self.bucket}/{key}", str(path))

    def presign(self, operation: str, **parameters: Any) -> str:
        return self.aws("s3", "presign", f"s3://{parameters['Bucket']}/{parameters['Key']}").strip()

    def list_keys(self, bucket: str, prefix: str) -> list[str]:
        listed = self.call("ListObjectsV2", Bucket=bucket, Prefix=prefix)
        return [item["Key"] for item in listed.get("Contents", [])]

    LACKS = {"presign_put": "`aws s3 presign` makes URLs for GET only"}


if __name__ == "__main__":
    AwsCli().main()
