"""Faults on the running stack: each call of the main flows meets each fault, and the promises are checked.

`make faults` runs it. `flows` says what a merchant does, `trials` gives each merchant a tenant of its own,
`pairs` pairs the recorded calls with the faults, and `promises` compares the end with the carriers' books.
"""
