"""A model of an order's life: every course that it can take, and the engine led along them."""
