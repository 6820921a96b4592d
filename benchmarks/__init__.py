"""Figures of this project, measured on the machine they are run on: `./run bench`."""
