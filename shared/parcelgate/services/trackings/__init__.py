"""Parcels that are followed: their timelines, polls and subscriptions."""
