"""What happens to a parcel and what is printed for it, whatever carrier brings it."""
