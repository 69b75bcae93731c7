"""`make deploy`: looks at everything that AWS would refuse or lose first, and then deploys with the CDK."""
