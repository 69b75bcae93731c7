"""What runs Parcelgate on one machine: set-up, emulator, stack, demo, and the operator's command."""
