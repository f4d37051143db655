"""Links that let a browser read and write objects without the console in between: presigned, with the user's own key.

The admin port passes signed requests below `/s3/` on to the S3 app (`admin.objects`), so they are of the same origin
as the page: no CORS, a strict content policy, and bytes that go from the browser to the disk without a stop.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from attrs import frozen

from lightningstor.iam.credentials import Credential
from lightningstor.ports import Clock
from lightningstor.s3.wire.signer import Signer, presign

__all__ = ["MOUNT", "Links"]

MOUNT: Final = "/s3"
_UNRESERVED: Final = "-_.~"


@frozen
class Links:
    """Makes the links of one caller.

    Args:
        host: as the browser sends it in the Host header.
        region: that the store's requests are signed for.
    """

    credential: Credential
    host: str
    region: str
    clock: Clock

    def object(
        self, method: str, bucket: str, key: str, parameters: Mapping[str, str], expires_s: int, host: str | None = None
    ) -> str:
        """Path and query, as S3 has them, of a link to an object.

        Args:
            parameters: of the query besides the signature's: versionId, uploadId, response-content-disposition…
            host: another one than the console's: of the S3 port, for a link that is given away.
        """
        path = f"/{bucket}/{quote(key, safe=_UNRESERVED + '/', encoding='utf-8')}"
        query = "&".join(
            f"{quote(name, safe=_UNRESERVED)}={quote(value, safe=_UNRESERVED)}" for name, value in parameters.items()
        )
        signer = Signer(self.credential.access_key_id, self.credential.secret, self.region)
        target = host or self.host
        return presign(
            signer, method, path.encode(), query.encode(), target.encode(), self.clock.now_ms(), expires_s
        ).decode()

    def local(self, method: str, bucket: str, key: str, parameters: Mapping[str, str], expires_s: int) -> str:
        """The same below the admin port's own mount of the S3 app, which takes the path in base64: a browser would
        resolve what looks like "." and ".." in it, and the signature is over the path as it is."""
        path, _, query = self.object(method, bucket, key, parameters, expires_s).partition("?")
        return f"{MOUNT}/{urlsafe_b64encode(path.encode()).decode()}?{query}"
