"""The recipient's page: its words in each language, its colours, and the page itself."""
