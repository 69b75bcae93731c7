"""The guards of the promises, taken out one after the other, to see whether a test notices."""
