"""Load: a busy merchant's hour in minutes, while one call in fifty goes wrong, and the accounts afterwards.

`make load` runs it. `plan` says what the merchant does, `desk` is a merchant that measures its calls, `work`
does it all at once, `books` accounts for everything, `memory` watches one process over ten thousand calls,
and `report` writes the tables.
"""
