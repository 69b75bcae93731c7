"""Provides the operator's command, `parcelgate`, and reads the files of orders that it imports."""
