"""The carrier layer: one folder per carrier behind one port. See `port` and `registry`."""
