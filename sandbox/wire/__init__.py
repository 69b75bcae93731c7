"""How calls come in and callbacks go out, whatever carrier they belong to."""
