"""`python -m tests.bench.prompts`: how long it takes to make the body of a call from a stored prompt, as a Markdown table."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import django
import msgspec

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
os.environ.setdefault("LOUPE_DATA", tempfile.mkdtemp())
django.setup()

from gateway.keys.in_memory import KeysInMemory, Known  # noqa: E402 - needs Django's registry
from gateway.proxy.prompt_calls import PromptCall, PromptCalls, read_body  # noqa: E402
from prompts.language.rendering import Template  # noqa: E402
from prompts.library.lookup import Library, Served, Shelf  # noqa: E402

ROUNDS = 300
LATEST = Path(__file__).with_name("prompts.md")
MESSAGES = [
    {"role": "system", "content": "You read {{kind}} for {{shop}}. {{#strict}}Never guess.{{/strict}}"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is the total, in {{currency}}? {{#hints}}{{name}}: {{value}}; {{/hints}}"},
            {"type": "image_url", "image_url": {"url": "{{receipt}}", "detail": "high"}},
            {"type": "text", "text": "{{>tone}}"},
        ],
    },
]
VARIABLES = {
    "kind": "receipts",
    "shop": "Market Hall",
    "strict": True,
    "currency": "EUR",
    "hints": [{"name": f"hint {n}", "value": n} for n in range(10)],
    "receipt": "https://pictures.example/1.jpg",
}


def shelf(slug: str, template: Template) -> Shelf:
    served = Served(slug, slug, 1, template, "@openai/gpt-4o", {"max_tokens": 300})
    return Shelf(slug, slug, 1, 1, versions={1: served})


def calls() -> PromptCalls:
    text = json.dumps(MESSAGES)
    library = Library(
        {"usual": shelf("usual", Template(text)), "raw": shelf("raw", Template(text, is_raw=True))},
        {"tone": shelf("tone", Template("Be brief, {{shop}}.", is_raw=True))},
    )

    def nothing(*args: object) -> str:
        raise LookupError(args)

    return PromptCalls(KeysInMemory(Known(libraries={1: library})), nothing, nothing, 1 << 30)  # type: ignore[arg-type]


def measure(make: Callable[[], object]) -> list[float]:
    """Milliseconds."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        make()
        times.append(1000 * (time.perf_counter() - started))
    return times


def main() -> None:
    prompts = calls()
    small = msgspec.json.encode({"variables": VARIABLES})
    large = msgspec.json.encode({"variables": VARIABLES | {"receipt": "data:image/png;base64," + "A" * 5_000_000}})

    def whole(name: str, body: bytes) -> Callable[[], object]:
        call = PromptCall(name, "completions")
        return lambda: prompts.encoded(prompts.from_memory(call, read_body(body), 1))

    rows = {
        "ordinary template, picture by link": measure(whole("usual", small)),
        "the same, raw": measure(whole("raw", small)),
        "ordinary template, picture of 5 MB in the variables": measure(whole("usual", large)),
    }
    lines = ["# From a stored prompt to the body of its call", "", "| | median ms | p99 ms |", "| --- | ---: | ---: |"]
    for name, times in rows.items():
        lines.append(f"| {name} | {statistics.median(times):.3f} | {sorted(times)[int(ROUNDS * 0.99) - 1]:.3f} |")
    lines += ["", "Reading the caller's JSON, finding the version, rendering and writing the new JSON; no database."]
    text = "\n".join(lines) + "\n"
    LATEST.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
