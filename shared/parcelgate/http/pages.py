"""Web pages: the documentation, and the explanation of each problem. They load nothing from other hosts."""

import base64
import hashlib
import re
import tomllib
from functools import cache
from html import escape
from importlib.resources import files

from parcelgate.domain.problems import Problem
from parcelgate.http.answers import Answer


@cache
def explanations() -> dict[str, str]:
    """What each problem code means, and what to do about it."""
    return tomllib.loads(files("parcelgate.http").joinpath("problems.toml").read_text("utf-8"))


@cache
def docs_page() -> Answer:
    """The documentation. A script in the page makes it from `/v1/openapi.json`."""
    return _page(files("parcelgate.http").joinpath("docs.html").read_text("utf-8"))


def problem_page(code: str) -> Answer | None:
    """Explain one code. None if there is no such code."""
    words = explanations().get(code)
    if words is None:
        return None
    problem = Problem(code=code, detail="")
    return _page(
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(code)}</title>'
        "<style>body{font:1rem/1.6 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem;"
        "color-scheme:light dark}code{font-size:.95em}</style>"
        f"<h1>{escape(problem.title)}</h1><p><code>{escape(code)}</code>, HTTP status {problem.status}</p>"
        f'<p>{escape(words)}</p><p><a href="../docs">All calls</a></p>\n'
    )


def _page(html: str) -> Answer:
    """Answer with a page whose policy allows only the scripts and styles in the page itself."""
    policy = (
        f"default-src 'none'; connect-src 'self'; style-src {_hashes('style', html)}; "
        f"script-src {_hashes('script', html)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": policy,
        "cache-control": "public, max-age=300",
    }
    return Answer(body=html, headers=headers)


def _hashes(element: str, html: str) -> str:
    parts = re.findall(rf"<{element}>(.*?)</{element}>", html, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in parts]
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
