"""The HTTP face: requests read, answers written, problems told. Used by the functions only."""
