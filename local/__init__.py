"""Runs Parcelgate on one machine: set-up, emulator, stack, demo, and the operator's command."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""
