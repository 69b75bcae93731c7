"""The body of a batch. Only its form is checked here; each entry is checked later, by itself."""

from collections.abc import Collection, Iterable

from parcelgate.domain.batches import MOST_ORDERS, BatchLine
from parcelgate.domain.problems import FieldError, invalid
from parcelgate.http.requests.formats.reading import is_absent, lower, pointer, read_json

_LONGEST_REFERENCE = 80
_LONGEST_ACCOUNT = 64


def read_batch(body: object, *, carriers: Collection[str]) -> tuple[BatchLine, ...]:
    """Read the account and the reference of each entry of a batch.

    Raises ProblemError (`validation_failed`) if the batch as a whole is wrong. A wrong entry raises nothing.
    """
    if not isinstance(body, dict):
        raise invalid([FieldError("", "type", "Must be an object.")])
    errors = [
        FieldError(pointer([name]), "unknown_field", "There is no such field. Leave it out.")
        for name in body
        if name not in ("orders", "validate_only")
    ]
    errors += _errors_of(body.get("orders"))
    if not (is_absent(body.get("validate_only")) or isinstance(body["validate_only"], bool)):
        errors.append(FieldError("/validate_only", "type", "Must be true or false."))
    if errors:
        raise invalid(errors)
    return tuple(_line(entry, carriers) for entry in body["orders"])


def is_check(body: object) -> bool:
    """Tell whether the orders of a batch are only checked and not bought."""
    return isinstance(body, dict) and body.get("validate_only") is True


def read_entries(raw: bytes) -> list[object]:
    """Give the entries of a batch whose body was accepted."""
    body = read_json(raw, "application/json", most=len(raw))
    entries = body["orders"] if isinstance(body, dict) else []
    return list(entries)


def _errors_of(orders: object) -> Iterable[FieldError]:
    if is_absent(orders):
        yield FieldError("/orders", "missing", "Is required.")
    elif not isinstance(orders, list):
        yield FieldError("/orders", "type", "Must be a list.")
    elif len(orders) > MOST_ORDERS:
        yield FieldError("/orders", "too_many", f"Must have at most {MOST_ORDERS} entries.")


def _line(entry: object, carriers: Collection[str]) -> BatchLine:
    fields = entry if isinstance(entry, dict) else {}
    account, reference = fields.get("account"), fields.get("reference")
    carrier = lower(fields.get("carrier"))
    return BatchLine(
        carrier=carrier if isinstance(carrier, str) and carrier in carriers else None,
        account=_text(account, _LONGEST_ACCOUNT) or "default",
        reference=_text(reference, _LONGEST_REFERENCE),
    )


def _text(value: object, longest: int) -> str | None:
    return value if isinstance(value, str) and value.strip() and len(value) <= longest else None
