"""`python -m overparam`: the same as the command `overparam`."""

import os
import sys


def _working_folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was deleted, which the program says itself
        return ""


if __name__ == "__main__":
    # Python looks into the working directory first. That may be a folder that somebody sent, and a
    # file in it must not stand in for a module that this program imports.
    if not sys.flags.safe_path and sys.path and sys.path[0] in ("", _working_folder()):
        del sys.path[0]
    from overparam.cli.main import main

    sys.exit(main())
