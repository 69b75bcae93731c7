"""The explanation of each problem, as a web page that loads nothing."""

import base64
import hashlib
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
    """Answer with a page whose policy allows only the style in the page itself."""
    style = html.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": policy,
        "cache-control": "public, max-age=300",
    }
    return Answer(body=html, headers=headers)
