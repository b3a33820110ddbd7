"""The composition root of the server: Loupe's front gate before Django."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
django_application = get_asgi_application()

from gateway.processes.server import Server  # noqa: E402 - needs Django's registry

application = Server(django_application)
