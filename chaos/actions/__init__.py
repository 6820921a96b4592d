"""What an experiment does to its target, always from outside; each notes how to undo it before it does it."""
