"""A tenant's settings, as clients see them: the domain's own."""

from parcelgate.domain.merchants.tenant_settings import TenantSettings


class SettingsResource(TenantSettings, frozen=True, kw_only=True):
    """The settings of the tenant."""
