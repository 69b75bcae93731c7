"""Webhook endpoints of merchants: kept, and given the events that they ask for."""
