"""The operator's command, `parcelgate`, and the files of orders that it imports."""
