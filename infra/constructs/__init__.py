"""One construct for each concern. Each makes its own functions, and says all that they may do."""
