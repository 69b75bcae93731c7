"""What adapters share: transport, bodies, fields, documents, times."""
