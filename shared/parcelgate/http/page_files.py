"""The files of the pages, with the headers that each is sent with.

The bundle holds them compressed (see `infra.pages`): HTML under the name that its address has, and all else
in one folder for each site, named by a hash of what is in it.
"""

import base64
import gzip
from collections.abc import Mapping
from pathlib import Path

from parcelgate.http.answers import Answer

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""A page loads scripts and styles from this address alone, calls this API alone, and no page may frame it.
Images may stand in a style itself (`data:`): Pico draws its arrows and ticks in this way."""


def policy_with_labels(labels: str) -> str:
    """The policy of a page that shows labels: images and frames may come from one address more.

    Parameters
    ----------
    labels
        What links to labels begin with: the bucket's origin, or a path that ends in `/`. None if empty.
    """
    if not labels:
        return POLICY
    images = "img-src 'self' data:"
    return POLICY.replace(f"{images};", f"{images} {labels}; frame-src {labels};")


_MEDIA: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".py": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_HTML = {
    "cache-control": "no-cache",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_FOR_GOOD = {"cache-control": "public, max-age=31536000, immutable"}
_COMPRESSED = ".gz"


class PageFiles:
    """What lies in `folder`: one folder for each site. Nothing outside of it can be asked for."""

    def __init__(self, folder: Path) -> None:
        self._files = {
            path.relative_to(folder).as_posix().removesuffix(_COMPRESSED): path.read_bytes()
            for path in folder.rglob(f"*{_COMPRESSED}")
        }

    def answer(self, site: str, path: str, *, accepts: str, policy: str = POLICY) -> Answer | None:
        """Answer with one file.

        Parameters
        ----------
        site
            The site's name, which its addresses begin with.
        path
            The rest of the address.
        accepts
            The request's `Accept-Encoding`. A client that does not take gzip gets the file as it is.
        policy
            The `Content-Security-Policy` of a page.

        Returns
        -------
        Answer | None
            None if there is no such file.
        """
        data = self._files.get(f"{site}/{path}")
        if data is None:
            return None
        media = _MEDIA[Path(path).suffix]
        headers = {
            "content-type": media,
            "cross-origin-resource-policy": "same-origin",
            "referrer-policy": "no-referrer",
            "vary": "accept-encoding",
            **(_HTML | {"content-security-policy": policy} if path.endswith(".html") else _FOR_GOOD),
        }
        if _takes_gzip(accepts):
            headers["content-encoding"] = "gzip"
        else:
            data = gzip.decompress(data)
        return Answer(body=base64.b64encode(data).decode(), headers=headers, in_base64=True)


def _takes_gzip(accepts: str) -> bool:
    for part in accepts.lower().split(","):
        coding, _, parameters = part.partition(";")
        if coding.strip() == "gzip":
            return parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
