"""Django's template engine, whose pages can always be sent.

JSON may hold half a surrogate pair, and whatever came over the wire may be shown anywhere: so what no page can hold is
replaced where pages are written, not where each text is read.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.template.backends.django import DjangoTemplates, Template
from django.utils.safestring import SafeString

from gateway.timings import spending


class Page(Template):
    def render(self, context: dict[str, Any] | None = None, request: HttpRequest | None = None) -> SafeString:
        with spending("template"):
            text = super().render(context, request)
        return SafeString(text.encode("utf-8", "replace").decode())


class Templates(DjangoTemplates):
    def get_template(self, template_name: str) -> Page:
        return Page(super().get_template(template_name).template, self)

    def from_string(self, template_code: str) -> Page:
        return Page(super().from_string(template_code).template, self)
