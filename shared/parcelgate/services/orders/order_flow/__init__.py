"""The steps of the workflow of a carrier that confirms later."""
