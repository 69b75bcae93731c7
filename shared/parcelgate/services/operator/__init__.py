"""What keeps the machinery going when it cannot by itself: the sweep, and a person's actions."""
