"""Between our words and eTower's, both ways, a module for each call. Pure: no network, no clock."""
