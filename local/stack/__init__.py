"""The whole product on this machine: its programs, the emulator, and the stack that is deployed to it."""
