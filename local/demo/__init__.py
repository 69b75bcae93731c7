"""`make demo`: orders of every kind, from create to label to the door, compared with the carriers' books."""
