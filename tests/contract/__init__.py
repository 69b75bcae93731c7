"""The API against its own document: cases made by schemathesis."""
