"""Labels: fetched, checked, stored, shown."""
