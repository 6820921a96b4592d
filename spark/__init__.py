"""Streaming jobs, the steps they are made of, and the models they apply."""
