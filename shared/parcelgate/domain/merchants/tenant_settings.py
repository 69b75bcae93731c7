"""What a tenant has set: its brand, and whether recipients have a page."""

import msgspec


class Brand(msgspec.Struct, frozen=True, kw_only=True):
    """How a tenant's name, colour and contact are shown to recipients. `colour` is `#rrggbb`."""

    name: str | None = None
    logo_url: str | None = None
    colour: str | None = None
    support_url: str | None = None
    support_email: str | None = None


class TrackingPage(msgspec.Struct, frozen=True, kw_only=True):
    """The page on which a recipient follows a parcel."""

    enabled: bool = True


class TenantSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's settings. Without any, recipients have a page without a brand."""

    brand: Brand = Brand()
    tracking_page: TrackingPage = TrackingPage()
