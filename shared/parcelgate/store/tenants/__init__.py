"""What a tenant has set: the names of its accounts, its price lists, its settings."""
