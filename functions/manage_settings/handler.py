"""`/v1/settings`: a tenant's brand, and whether recipients have a page."""

from parcelgate.http.answers import Answer, answer, copied
from parcelgate.http.api import Api, Request
from parcelgate.http.requests.settings import read_settings as read_body
from parcelgate.http.resources.settings import SettingsResource
from parcelgate.runtime import runtime
from parcelgate.store.table import Table

api = Api("manage_settings", limits=lambda: runtime.rate_limiter)


@api.route
def read_settings(request: Request) -> Answer:
    """Show the tenant's settings."""
    table: Table = runtime.table
    return answer(copied(SettingsResource, table.tenant(request.tenant).settings.get()))


@api.route
def put_settings(request: Request) -> Answer:
    """Store the tenant's settings in the place of the earlier ones."""
    table: Table = runtime.table
    settings = read_body(request.body)
    table.tenant(request.tenant).settings.put(settings)
    return answer(copied(SettingsResource, settings))


handler = api.handler
