"""Building blocks: what is the same wherever a function, a queue, an S3 bucket or a schedule is made."""
