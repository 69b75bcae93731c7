"""Runs the whole product on this machine: its programs, the emulator, and the stack deployed to it."""
