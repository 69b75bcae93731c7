"""Building blocks: what is the same wherever a function, a queue, a bucket or a schedule is made."""
