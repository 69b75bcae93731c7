"""`parcelgate doctor`: what is wrong with a stack, how bad it is, and the next command."""
