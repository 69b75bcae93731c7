"""Figures that stand in docs/performance.md, made by `make bench`."""
