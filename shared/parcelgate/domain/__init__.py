"""What Parcelgate talks about: orders, parcels, money, trackings. Pure: no AWS, no HTTP, no clock."""
