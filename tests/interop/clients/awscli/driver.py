"""The AWS CLI: `aws s3` for files, `aws s3api` for S3's operations.

Starting it takes most of a second, so only the file commands run as processes; `s3api` calls go to the same command
line's entry point within this process, which parses the same arguments.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
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

    def aws(self, *arguments: str, fails: bool = False) -> str:
        """Run `aws` as a process."""
        return run([str(Path(sys.executable).with_name("aws")), *arguments], fails=fails)

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
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = self.command_line.main(arguments)
        if status:
            refusal = _ERROR.search(err.getvalue())
            check(refusal, f"aws {' '.join(arguments)} ended with {status}: {err.getvalue()}")
            raise Refused(refusal[1], err.getvalue())
        answer: dict[str, Any] = json.loads(out.getvalue()) if out.getvalue().strip() else {}
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
        self.aws("s3", "cp", "--recursive", "--only-show-errors", str(here), f"s3://{self.bucket}/{folder}")
        self.aws("s3", "cp", "--recursive", "--only-show-errors", f"s3://{self.bucket}/{folder}", str(back))
        for size in sizes:
            path = self.file(size)
            check((back / str(size)).read_bytes() == path.read_bytes(), f"{size} bytes came back changed")
            head = self.call("HeadObject", Bucket=self.bucket, Key=f"{folder}{size}")
            expected = content_md5(path) if size < PART_SIZE else multipart_etag(path, PART_SIZE)
            check_equal((head["ETag"], head["ContentLength"]), (f'"{expected}"', size), f"HeadObject, {size} bytes")

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
