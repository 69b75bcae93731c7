"""Failure drills: each breaks something of the local stack, and ends when the runbook has mended it."""
