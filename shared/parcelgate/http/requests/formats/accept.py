"""Accept headers: whether JSON is asked for, or a label's document, or a page; and by which weights."""

from parcelgate.domain.problems import ProblemError

DOCUMENTS = {
    "pdf": "application/pdf",
    "jpg": "image/jpeg",
    "png": "image/png",
    "zpl": "application/zpl",
}
"""The media type of each label format."""


def document_wanted(accept: str, label_format: str) -> bool:
    """Tell whether this Accept header asks for the document rather than for JSON.

    The answer is JSON unless the header names the document's media type. Raises ProblemError
    (`not_acceptable`) if the header names only documents of other formats.

    >>> document_wanted("application/pdf", "pdf"), document_wanted("*/*", "pdf"), document_wanted("", "pdf")
    (True, False, False)
    """
    asked = weights(accept)
    document = asked.get(DOCUMENTS.get(label_format, ""), 0.0)
    json = max((asked.get(name, 0.0) for name in ("application/json", "application/*", "*/*")), default=0.0)
    if document > 0:
        return document >= asked.get("application/json", 0.0) and document >= json
    others = [weight for name, weight in asked.items() if name in DOCUMENTS.values()]
    if json == 0 and any(weight > 0 for weight in others):
        raise ProblemError(
            "not_acceptable", f"The label has the format {label_format}. Ask for that, or for JSON."
        )
    return False


def json_wanted(accept: str) -> bool:
    """Tell whether this Accept header asks for JSON rather than for a page.

    >>> json_wanted("application/json"), json_wanted("text/html,*/*;q=0.8"), json_wanted("*/*")
    (True, False, False)
    """
    asked = weights(accept)
    page = max(asked.get(name, 0.0) for name in ("text/html", "application/xhtml+xml"))
    return asked.get("application/json", 0.0) > page


def weights(header: str) -> dict[str, float]:
    """Read a header such as Accept or Accept-Language: each name that it has, with its weight, 0 to 1."""
    return dict(_range(part) for part in header.split(",") if part.strip())


def _range(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    try:
        return name, min(1.0, max(0.0, float(weight)))
    except ValueError:
        return name, 0.0
