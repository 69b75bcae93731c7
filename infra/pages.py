"""Builds the pages: `console/`, `docs/` and their libraries, compressed, in folders named by a hash.

The hash is that of all files of a site together. So each file may be cached for good, and relative imports
between files need no rewriting. Only the HTML that names the folder is asked for again each time.
"""

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from infra.guides import docs_files, docs_html

SOURCES = "console"
HASH = "HASH"
"""What the HTML of a site writes in place of the folder's name."""

_LENGTH = 16
_VENDOR: Mapping[str, tuple[str, str, str]] = {
    "preact.js": ("htm/preact/standalone.module.js", "", ""),
    "uplot.js": ("uplot/dist/uPlot.iife.min.js", "", "\nexport default uPlot;\n"),
    "papaparse.js": (
        "papaparse/papaparse.min.js",
        "const home = {};\n(function () {\n",
        "\n}).call(home);\nexport default home.Papa;\n",
    ),
    "pico.css": ("@picocss/pico/css/pico.min.css", "", ""),
    "uplot.css": ("uplot/dist/uPlot.min.css", "", ""),
}
"""The libraries of the console, by their names in `vendor/`: the file in `node_modules`, and what is written
before and after it. Two of them are scripts that set a name of their own, which becomes a module's export."""

LICENCES = "licences.txt"
"""Each site has its libraries' licences under this name, because they ask to go with every copy."""
_LICENCES: Mapping[str, tuple[str, ...]] = {
    "console": (
        "node_modules/htm/LICENSE",
        # It comes inside of htm, without its licence.
        "licences/preact.txt",
        "node_modules/uplot/LICENSE",
        "node_modules/papaparse/LICENSE",
        "node_modules/@picocss/pico/LICENSE.md",
    ),
    "docs": (
        "node_modules/swagger-ui-dist/LICENSE",
        "node_modules/swagger-ui-dist/NOTICE",
        "node_modules/swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt",
    ),
}


def console_files(root: Path) -> dict[str, bytes]:
    """Every file of the console but its HTML, by its path below the hashed folder."""
    sources = root / SOURCES
    files = {
        path.relative_to(sources).as_posix(): path.read_bytes()
        for path in sorted(sources.rglob("*"))
        if path.suffix in (".css", ".js", ".svg")
        and not {"node_modules", "docs"} & set(path.relative_to(sources).parts)
    }
    for name, (path, before, after) in _VENDOR.items():
        library = (sources / "node_modules" / path).read_text("utf-8")
        files[f"vendor/{name}"] = (before + library + after).encode()
    return files


def sites(root: Path) -> Iterator[tuple[str, dict[str, bytes], dict[str, bytes]]]:
    """Each site: its name, the files that go below its hashed folder, and its HTML by path."""
    html = (root / SOURCES / "index.html").read_bytes()
    yield "console", console_files(root) | _licences(root, "console"), {"index.html": html}
    if (root / SOURCES / "docs").exists():
        yield "docs", docs_files(root) | _licences(root, "docs"), docs_html(root)


def _licences(root: Path, site: str) -> dict[str, bytes]:
    paths = (root / SOURCES / name for name in _LICENCES[site])
    texts = (path.read_text("utf-8").strip() for path in paths)
    return {LICENCES: "\n\n---\n\n".join(texts).encode()}


def build_pages(target: Path, root: Path) -> None:
    """Write all sites of the checkout at `root` below `target`, each file compressed.

    A checkout without `console/` has no pages.
    """
    if not (root / SOURCES / "index.html").exists():
        return
    for site, files, html in sites(root):
        folder = _digest(files)
        for name, data in files.items():
            _write(target / site / folder / name, data)
        for name, data in html.items():
            _write(target / site / name, data.replace(f"/{HASH}/".encode(), f"/{folder}/".encode()))


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(data, 9, mtime=0))


def _digest(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, data in sorted(files.items()):
        for part in (name.encode(), data):
            digest.update(len(part).to_bytes(8) + part)
    return digest.hexdigest()[:_LENGTH]
