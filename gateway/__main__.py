"""Loupe's command line: `up`, `serve`, `work`, `apikey`, `virtualkey` and Django's own commands."""

from __future__ import annotations

import os
import sys


def main() -> None:
    os.umask(0o077)  # what Loupe writes is for its own user
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
