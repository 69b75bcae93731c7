"""Which of JSON and document a client wants."""

import pytest

from parcelgate.domain.problems import ProblemError
from parcelgate.http.requests.formats.accept import document_wanted


@pytest.mark.parametrize(
    "accept",
    [
        "application/pdf",
        "Application/PDF",
        "application/pdf;q=0.9, application/json;q=0.5",
        "application/pdf, */*;q=0.1",
        "image/jpeg, application/pdf",
    ],
)
def test_the_document_is_given_to_whoever_prefers_it(accept: str) -> None:
    assert document_wanted(accept, "pdf")


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/json",
        "application/*",
        "text/html,application/xhtml+xml,*/*;q=0.8",
        "text/html",
        "application/json, application/pdf;q=0.5",
        "image/jpeg, application/json;q=0.1",
        "application/pdf;q=0",
        "application/pdf;q=x",
        ",;,",
    ],
)
def test_everybody_else_is_given_json(accept: str) -> None:
    assert not document_wanted(accept, "pdf")


def test_only_another_format_is_not_to_be_had() -> None:
    with pytest.raises(ProblemError) as caught:
        document_wanted("image/jpeg", "pdf")
    assert caught.value.problem.code == "not_acceptable"


def test_an_image_is_given_for_an_image() -> None:
    assert document_wanted("image/jpeg", "jpg")
    assert document_wanted("application/zpl", "zpl")
