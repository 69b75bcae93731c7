"""Between our words and LME's, both ways, a module for each call. Pure: no I/O, no clock."""
