"""Parcelgate: one order, label and tracking vocabulary in front of many parcel carriers."""

__version__ = "0.1.0"
