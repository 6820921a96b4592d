"""Faultline: the library shared by feeder, stream, stack and tests. Does nothing on import."""
