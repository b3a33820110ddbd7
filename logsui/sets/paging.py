"""Pages of cases and of rows, by number in the address."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Pages:
    """Which page is shown, of how many, and the addresses of those beside it; empty where there is none."""

    number: int
    count: int
    before: str
    after: str

    @classmethod
    def of(cls, request: HttpRequest, rows: int, page_size: int) -> Pages:
        number, count = page_number(request), -(-rows // page_size)
        return cls(
            number,
            count,
            before=_address(request, number - 1) if number > 1 else "",
            after=_address(request, number + 1) if number < count else "",
        )


def page_number(request: HttpRequest) -> int:
    """The number in `?page=`; 1 for what is none."""
    text = request.GET.get("page", "1")
    return max(1, int(text)) if text.isdecimal() and len(text) < 6 else 1


def _address(request: HttpRequest, number: int) -> str:
    query = request.GET.copy()
    query["page"] = str(number)
    return f"?{query.urlencode()}"
