"""Prepares a checkout, before anything runs in it: the set-up, Node and the CDK, the lock files."""
