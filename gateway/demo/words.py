"""What the sample logs say: questions by picture, answers, failures, and the models with their share of the traffic."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Model:
    provider: str
    name: str
    weight: float
    endpoint: str = "chat/completions"


@dataclass(frozen=True, slots=True)
class Failure:
    """`slowness` is how long it took against a good answer."""

    state: str
    status: int | None
    code: str
    message: str
    weight: float
    slowness: float = 0.1


MODELS = (
    Model("openai", "gpt-4o", 22),
    Model("openai", "gpt-4o-mini", 20),
    Model("openai", "gpt-4.1", 8),
    Model("openai", "gpt-4.1-mini", 7, "responses"),
    Model("openai", "o4-mini", 2, "responses"),
    Model("openai", "text-embedding-3-small", 4, "embeddings"),
    Model("anthropic", "claude-sonnet-4-5", 12),
    Model("anthropic", "claude-haiku-4-5", 6),
    Model("google", "gemini-2.5-flash", 9),
    Model("google", "gemini-2.5-pro", 3),
    Model("mistral-ai", "pixtral-12b-2409", 3),
    Model("groq", "meta-llama/llama-4-scout-17b-16e-instruct", 2),
    Model("openrouter", "qwen/qwen2.5-vl-72b-instruct", 2),
)

FAILURES = (
    Failure("error", 429, "rate_limit_exceeded", "Rate limit reached for requests per minute. Try again in 12 s.", 40),
    Failure(
        "error", 400, "invalid_image", "You uploaded an unsupported image. Please make sure it is below 20 MB.", 18
    ),
    Failure("error", 500, "server_error", "The server had an error while processing your request.", 8),
    Failure("error", 503, "overloaded", "The model is overloaded. Please try again later.", 10),
    Failure("failed", 504, "upstream_timeout", "The provider sent nothing for 600 s.", 5, 8.0),
    Failure("failed", 502, "upstream_reset", "The provider closed the connection before its answer was whole.", 4),
    Failure("aborted", None, "client_left", "The client closed the connection.", 9, 0.6),
    Failure("refused", 401, "invalid_api_key", "The gateway key is not known here, or was revoked.", 6, 0.0),
)

ASKED: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "receipt": (
        (
            "Read the total, the date and the merchant from this receipt. Answer in JSON.",
            (
                '{"merchant": "Corner Bakery", "date": "2026-10-14", "total": "23.80", "currency": "EUR"}',
                '{"merchant": "City Parking", "date": "2026-11-02", "total": "6.00", "currency": "EUR"}',
                "I cannot read the small print at this resolution. Could you send a larger picture?",
            ),
        ),
        (
            "Is there a discount on this invoice? Name the line.",
            (
                "There is no discount on this invoice. The last line reads 'Room 2 nights', without a deduction.",
                "Yes: the fourth line, 'Loyalty', takes off 2.50.",
            ),
        ),
        (
            "Where is the total? Give its box, each side from 0 to 1, as JSON.",
            (
                '{"label": "total", "bbox": [0.05, 0.86, 0.95, 0.93]}',
                '```json\n[{"label": "merchant", "bbox": [0.2, 0.02, 0.8, 0.09]}, '
                '{"label": "total", "bbox": [0.05, 0.85, 0.95, 0.92]}]\n```',
            ),
        ),
        (
            "Which currency is this bill in, and what is the total due?",
            ("Euro; 41.20 are due.", "The bill is in euros, and the total due is 17.95."),
        ),
    ),
    "screen": (
        (
            "Describe this screen for somebody who cannot see it.",
            (
                "A page of settings with a coloured header, a menu on the left and six rows; none of them is selected.",
                "A dashboard: a header across the top, below it rows of equal height, each with a label and a switch.",
            ),
        ),
        (
            "Where is the button to cancel? Give its box, each side from 0 to 1.",
            ('{"label": "Cancel", "bbox": [0.62, 0.84, 0.78, 0.92]}',),
        ),
        (
            "Does this page show an error message? Quote it.",
            ("No error message is shown.", "Yes: “The connection was lost. Your changes are kept.”"),
        ),
        (
            "You may click. Open the second entry of the menu.",
            ("click(x=0.08, y=0.31)",),
        ),
    ),
    "chart": (
        (
            "Which bar is the highest, and by how much?",
            ("The third bar is the highest, about a fifth above the second.", "The last one, by about 12."),
        ),
        (
            "Turn this chart into a table with two columns.",
            ("| month | value |\n| --- | ---: |\n| Jan | 41 |\n| Feb | 63 |\n| Mar | 57 |",),
        ),
        (
            "Summarise the trend in one sentence.",
            (
                "It rises until the middle of the year and then stays where it is.",
                "Apart from one dip it grows steadily.",
            ),
        ),
    ),
    "hills": (
        (
            "Write alternative text for this photograph, at most 120 characters.",
            (
                "Rolling hills under a pale evening sky, the nearest ridge in shadow.",
                "Green hills behind one another in haze.",
            ),
        ),
        (
            "What time of day is it in this picture, and how can you tell?",
            (
                "Early evening: the light is warm and comes from low on the left.",
                "Around noon: there are hardly any shadows.",
            ),
        ),
        ("Is there a person in the picture? Answer yes or no.", ("No.",)),
    ),
    "text": (
        (
            "Rewrite this product description in plain words.",
            ("A jug of one litre. It keeps water cool for six hours and goes into the dishwasher.",),
        ),
        ("Classify the ticket: billing, delivery, or something else.", ("billing", "delivery", "something else")),
        (
            "Translate the caption into German and Japanese.",
            ("Ein heller Raum mit Blick auf die Hügel. / 丘を望む明るい部屋。",),
        ),
    ),
}
