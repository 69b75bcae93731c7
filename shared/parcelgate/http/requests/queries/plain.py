"""Queries without filters: a page alone, an account, a language."""

import re
from collections.abc import Mapping

from parcelgate.http.requests.formats.reading import WrongValueError, lower
from parcelgate.http.requests.queries.reading import DEFAULT, PAGE, TEXT, Parameter, read_parameters

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z]{2,4})?", re.ASCII)


def _language(text: str) -> str:
    language = lower(text)
    if not _LANGUAGE.fullmatch(str(language)):
        raise WrongValueError("format", "Must be the code of a language, such as en.")
    return str(language)


_ACCOUNT = Parameter(str, TEXT, "The account that is used. Default: `default`.")
OF_A_PAGE: Mapping[str, Parameter] = {name: PAGE[name] for name in ("limit", "cursor")}
OF_AN_ACCOUNT: Mapping[str, Parameter] = {"account": _ACCOUNT}
OF_COURIERS: Mapping[str, Parameter] = {
    "account": _ACCOUNT,
    "lang": Parameter(_language, TEXT, "The language of the names, such as `en`."),
}
OF_A_LANGUAGE: Mapping[str, Parameter] = {
    "lang": Parameter(
        str,
        TEXT,
        "The language: `en`, `de`, `es`, `fr` or `zh`. Any other value, and none, leave it to the "
        "Accept-Language header.",
    ),
}


def read_page_query(query: Mapping[str, str]) -> tuple[int, str | None]:
    """Read the size of a page of a list without filters, and where it begins. Raises ProblemError."""
    values = read_parameters(OF_A_PAGE, query)
    return values["limit"] or DEFAULT, values["cursor"]


def read_account_query(query: Mapping[str, str]) -> str | None:
    """Read which of the tenant's accounts with a carrier is meant. Raises ProblemError."""
    account: str | None = read_parameters(OF_AN_ACCOUNT, query)["account"]
    return account


def read_courier_query(query: Mapping[str, str]) -> tuple[str, str]:
    """Read the account and the language of a list of couriers. Empty: any language. Raises ProblemError."""
    values = read_parameters(OF_COURIERS, query)
    return values["account"] or "default", values["lang"] or ""
