"""Carrier accounts and API keys: from a tenant's account to a carrier that can be called."""
