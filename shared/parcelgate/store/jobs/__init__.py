"""Work on many orders at once: batches, manifests, label documents."""
