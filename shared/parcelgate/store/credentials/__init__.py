"""API keys, webhook tokens and carriers' access tokens in the table."""
