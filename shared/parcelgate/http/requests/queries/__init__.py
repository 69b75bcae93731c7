"""Queries of requests: a module for each kind of list, so that a function reads its own alone."""
