"""A printout: the labels of many orders in one PDF. The contract calls it a label document."""

from enum import StrEnum

MOST_ORDERS = 300
"""Orders in one printout."""


class Layout(StrEnum):
    """How the labels are laid out."""

    AS_IS = "as_is"
    A4_4 = "a4_4"
    """Four to a page of A4."""
