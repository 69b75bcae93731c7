"""What a test reads and sets under `/_sandbox`: the clock, faults, the ledger and webhook addresses."""
