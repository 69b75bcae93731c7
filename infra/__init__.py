"""The infrastructure: one CDK stack for AWS and for the emulator, and the bundle it deploys."""
