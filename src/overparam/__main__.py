"""`python -m overparam`: the same as the command `overparam`."""

import sys

from overparam.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
