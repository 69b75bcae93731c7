"""Makes the documentation's pages: the reference of the API, and a guide of each file in `docs/`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Use the API": (
        "importing",
        "rates",
        "labels",
        "tracking-page",
        "events",
        "webhooks",
        "carriers",
        "glossary",
    ),
    "Run it": (
        "deploy",
        "command",
        "runbook",
        "security",
        "scale",
        "performance",
        "reliability",
        "aws-differences",
    ),
    "Change it": ("design", "adding-a-carrier", "adding-a-field"),
}
"""The guides in the order in which they are listed, by what a reader wants. All others are listed last."""

REFERENCE = "API reference"
_SWAGGER = "swagger-ui-dist"
_LIBRARIES = {
    "swagger-ui.js": f"{_SWAGGER}/swagger-ui-bundle.js",
    "swagger-ui.css": f"{_SWAGGER}/swagger-ui.css",
}
_ATTACHED = (".csv", ".json", ".mjs", ".py", ".svg")
_MARK = re.compile(r"^<!--.*?-->\n", re.MULTILINE)
"""A line that a command finds its place by. HTML is shown as it is written, and this is not for readers."""
_REFERENCE_HEAD = """\
<link rel="stylesheet" href="docs/HASH/swagger-ui.css">
    <link rel="stylesheet" href="docs/HASH/reference.css">
    <script src="docs/HASH/swagger-ui.js" defer></script>
    <script src="docs/HASH/reference.js" defer></script>"""
_REFERENCE_MAIN = """\
<div id="reference"><noscript>The reference needs JavaScript. The same facts are in
        <a href="v1/openapi.json">v1/openapi.json</a>.</noscript></div>"""


class Guide(NamedTuple):
    """One guide. `html` is the text; `title` is its first heading, as plain words."""

    name: str
    title: str
    html: str


def docs_files(root: Path) -> dict[str, bytes]:
    """Every file of the documentation but its HTML, by its path below the hashed folder."""
    console, docs = root / "console", root / "docs"
    files = {path.name: path.read_bytes() for path in sorted((console / "docs").glob("*.*s"))}
    files["icon.svg"] = (console / "icon.svg").read_bytes()
    for name, path in _LIBRARIES.items():
        files[name] = (console / "node_modules" / path).read_bytes()
    for path in sorted(docs.glob("*/*")):
        if path.suffix in _ATTACHED:
            files[path.relative_to(docs).as_posix()] = path.read_bytes()
    return files


def docs_html(root: Path) -> dict[str, bytes]:
    """Every page of the documentation, by the rest of its address; the reference is `index.html`."""
    template = Template((root / "console" / "docs" / "page.html").read_text("utf-8"))
    guides = {guide.name: guide for guide in read_guides(root / "docs")}

    def page(title: str, main: str, *, current: str = "", head: str = "") -> bytes:
        base, home = (".", "../docs") if current else ("docs", "docs")
        console = "../console" if current else "console"
        contents = _contents(root / "docs", guides, current, base, home)
        parts = {"title": escape(title), "base": base, "home": home, "console": console, "contents": contents}
        return template.substitute(parts, main=main, head=head).encode()

    pages = {"index.html": page(REFERENCE, _REFERENCE_MAIN, head=_REFERENCE_HEAD)}
    for guide in guides.values():
        article = f'<article class="guide">{guide.html}</article>'
        pages[f"{guide.name}.html"] = page(guide.title, article, current=guide.name)
    return pages


def read_guides(docs: Path) -> Iterator[Guide]:
    """Read every guide that lies in the folder `docs`, in the order in which they are listed."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    for name in (name for names in groups(docs).values() for name in names):
        path = docs / f"{name}.md"
        tokens = markdown.parse(_MARK.sub("", path.read_text("utf-8")))
        title = next(_words(inline) for before, inline in pairwise(tokens) if before.tag == "h1")
        _name_headings(tokens)
        for token in tokens:
            if token.children:
                token.children = list(_with_links(token.children, docs))
        html = markdown.renderer.render(list(_reachable(tokens)), markdown.options, {})
        yield Guide(name, title, html)


def groups(docs: Path) -> dict[str, tuple[str, ...]]:
    """The names of the guides that lie in the folder `docs`, by group."""
    there = {path.stem for path in docs.glob("*.md")}
    placed = {group: tuple(name for name in names if name in there) for group, names in GROUPS.items()}
    rest = sorted(there.difference(*placed.values()))
    return placed | ({"More": tuple(rest)} if rest else {})


def _contents(docs: Path, guides: Mapping[str, Guide], current: str, base: str, home: str) -> str:
    def item(address: str, title: str, name: str) -> str:
        here = ' aria-current="page"' if name == current else ""
        return f'<li><a href="{address}"{here}>{escape(title)}</a></li>'

    lists = [f"<ul>{item(home, REFERENCE, '')}</ul>"]
    for group, names in groups(docs).items():
        items = [item(f"{base}/{name}.html", guides[name].title, name) for name in names]
        lists.append(f"<h2>{group}</h2><ul>{''.join(items)}</ul>")
    return "\n      ".join(lists)


def _words(inline: Token) -> str:
    kinds = ("code_inline", "text")
    return "".join(child.content for child in inline.children or () if child.type in kinds)


def _name_headings(tokens: Sequence[Token]) -> None:
    """Give each heading the name by which GitHub links to it."""
    names: dict[str, int] = {}
    for heading, inline in pairwise(tokens):
        if heading.type == "heading_open":
            name = re.sub(r"[^\w\- ]", "", _words(inline).lower()).replace(" ", "-")
            names[name] = names.get(name, -1) + 1
            heading.attrSet("id", f"{name}-{names[name]}" if names[name] else name)


def _with_links(children: Sequence[Token], docs: Path) -> Iterator[Token]:
    """Lead links to the pages of the documentation; what is not among them is left as plain words."""
    ends: list[Token | None] = []
    for child in children:
        if child.type == "link_open":
            address = _address(str(child.attrGet("href")), docs)
            ends.append(child if address else None)
            if not address:
                continue
            child.attrSet("href", address)
        elif child.type == "link_close" and ends.pop() is None:
            continue
        elif child.type == "image":
            child.attrSet("src", _address(str(child.attrGet("src")), docs) or "")
        yield child


def _address(href: str, docs: Path) -> str | None:
    if href.startswith(("#", "https://")):
        return href
    path, mark, anchor = href.partition("#")
    if path.startswith("../") or not (docs / path).is_file():
        return None
    if path.endswith(".md"):
        return f"./{path.removesuffix('.md')}.html{mark}{anchor}"
    return f"./HASH/{path}"


def _reachable(tokens: Sequence[Token]) -> Iterator[Token]:
    """Let what is wider than the page be scrolled with the keyboard, and head no column with nothing."""
    for token, following in pairwise((*tokens, Token("end", "", 0))):
        if token.type == "th_open":
            heads = bool(following.content)
        if token.type in ("th_open", "th_close") and not heads:
            token.tag = "td"
        if token.type == "fence":
            token.type, token.content = (
                "html_block",
                (f'<pre tabindex="0"><code>{escape(token.content)}</code></pre>\n'),
            )
        if token.type == "table_open":
            yield Token("html_block", "", 0, content='<div class="table" tabindex="0">')
        yield token
        if token.type == "table_close":
            yield Token("html_block", "", 0, content="</div>\n")
