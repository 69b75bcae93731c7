"""Figures over what a tenant bought and followed, which equal the books."""
