"""What a merchant sets up and is told: endpoints, events, price lists, settings."""
