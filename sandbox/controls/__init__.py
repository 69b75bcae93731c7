"""The controls that a test uses under `/_sandbox`: the clock, faults, the ledger and webhook addresses."""
