"""What a carrier offers: services, prices, address checks."""
