#!/usr/bin/env python
"""Loupe's command line in a checkout; an installation has it as `loupe`."""

from __future__ import annotations

from gateway.__main__ import main

if __name__ == "__main__":
    main()
