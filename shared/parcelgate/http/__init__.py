"""The HTTP face: requests read, answers written, problems described. Used by the functions only."""
