"""The journeys and the labels of parcels, for all carriers."""
