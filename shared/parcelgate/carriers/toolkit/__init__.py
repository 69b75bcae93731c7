"""The code that adapters share: transport, bodies, fields, documents, times."""
