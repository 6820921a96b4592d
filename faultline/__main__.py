"""`python -m faultline`: what the launcher `run` calls."""

import sys

from faultline.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
