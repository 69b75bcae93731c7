"""The state machines. `order_flow` and `tracking_poll` know nothing of CDK: tests run them as they are."""
