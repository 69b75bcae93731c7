"""`make demo`: orders of every kind, from create to label to the door, held against the carriers' books."""
