"""Reading a recipient's page: what a token leads to, or one and the same "not found" for every other case."""

from typing import TYPE_CHECKING

import msgspec

from parcelgate.store.errors import PageNotFoundError

if TYPE_CHECKING:
    from parcelgate.store.table import Table
    from parcelgate.store.tenants.recipient_pages import PageContent


class RecipientPageReader(msgspec.Struct, frozen=True):
    """Reads recipients' pages by their tokens."""

    table: "Table"

    def page(self, token: str) -> "PageContent":
        """Return what the page of this token is made of.

        Raises PageNotFoundError, without a difference, if the token was not made here, if its order or parcel
        is gone or the order has failed, and if the tenant has switched its pages off. Each reads once.
        """
        place = self.table.page_tokens.open(token)
        if place is None:
            self.table.page_tokens.read_nothing()
            raise PageNotFoundError
        content = self.table.tenant(place.tenant).recipient_pages.read(place.order_id, place.tracking_id)
        if content is None:
            raise PageNotFoundError
        return content
