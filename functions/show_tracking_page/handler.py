"""`GET /track/{token}`: the recipient's page, as a page or as data."""

import msgspec

from parcelgate.domain.problems import ProblemError
from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request
from parcelgate.http.problems import problem_answer, problem_of
from parcelgate.http.recipient.page import headers, not_found_page, page, trouble_page
from parcelgate.http.recipient.view import page_of
from parcelgate.http.recipient.words import language, words
from parcelgate.http.requests.formats.accept import json_wanted
from parcelgate.runtime import runtime
from parcelgate.services.trackings.recipient_pages import RecipientPageReader

api = Api("show_tracking_page")


@api.route
def show_tracking_page(request: Request) -> Answer:
    """Show where a recipient's parcels are."""
    code = language(request.headers.get("accept-language", ""), request.query.get("lang", ""))
    as_json = json_wanted(request.headers.get("accept", ""))
    try:
        reader: RecipientPageReader = runtime.recipient_page_reader
        shown = page_of(reader.page(request.parameters["token"]), words(code))
    except Exception as error:
        problem = problem_of(error)
        return _trouble(request, problem, code, as_json=as_json)
    return answer(shown, headers=headers(code)) if as_json else page(shown)


@api.route
def peek_at_tracking_page(request: Request) -> Answer:
    """Give the headers of a recipient's page alone, for programs that make previews."""
    return msgspec.structs.replace(show_tracking_page(request), body="")


def _trouble(request: Request, problem: ProblemError, code: str, *, as_json: bool) -> Answer:
    given = problem_answer(problem, request.site, request.request_id)
    if as_json:
        more = headers(code) if given.status == 404 else {}
        return msgspec.structs.replace(given, headers=more | given.headers)
    return not_found_page(code) if given.status == 404 else trouble_page(code, given)


handler = api.handler
