"""What resumes work that has stopped: the sweep, and the actions of an operator."""
