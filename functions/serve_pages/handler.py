"""Sends the pages: the console, the documentation and their files.

It may do nothing else, and reads nothing but its own zip.
"""

import os
from functools import cache
from pathlib import Path

from parcelgate.domain.problems import ProblemError
from parcelgate.http.answers import Answer
from parcelgate.http.api import Api, Request
from parcelgate.http.page_files import PageFiles, policy_with_labels

api = Api("serve_pages")


@api.route
def show_console(request: Request) -> Answer:
    """Send the console's HTML, which may show labels from their bucket."""
    return _send("console", "index.html", request, labels=os.environ.get("PARCELGATE_LABEL_LINKS", ""))


@api.route
def send_console_file(request: Request) -> Answer:
    """Send a script or a style of the console."""
    return _send("console", request.parameters["path"], request)


@api.route
def show_reference(request: Request) -> Answer:
    """Send the reference of the API, where the documentation begins."""
    return _send("docs", "index.html", request)


@api.route
def send_docs_file(request: Request) -> Answer:
    """Send a guide, or a file that it or the reference needs."""
    return _send("docs", request.parameters["path"], request)


def _send(site: str, path: str, request: Request, *, labels: str = "") -> Answer:
    accepts = request.headers.get("accept-encoding", "")
    sent = _files().answer(site, path, accepts=accepts, policy=policy_with_labels(labels))
    if sent is None:
        raise ProblemError("not_found", "There is no such page or file. Load the page again.")
    return sent


@cache
def _files() -> PageFiles:
    """The files that the bundle put beside this one; the variable names another folder for tests."""
    folder = os.environ.get("PARCELGATE_PAGES")
    return PageFiles(Path(folder) if folder else Path(__file__).with_name("pages"))


handler = api.handler
