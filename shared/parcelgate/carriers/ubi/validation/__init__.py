"""What eTower takes: `fields` the place of each of ours, `table` the given one, `examination` of an order."""

from parcelgate.carriers.ubi.validation.examination import examine
from parcelgate.carriers.ubi.validation.fields import FIELDS

__all__ = ["FIELDS", "examine"]
