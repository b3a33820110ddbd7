from __future__ import annotations

from django.apps import AppConfig


class LogsUiConfig(AppConfig):
    name = "logsui"
