"""What the sample logs say: questions by picture, answers, failures, and the models with their share of the traffic."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Model:
    provider: str
    name: str
    weight: float
    endpoint: str = "v1/chat/completions"


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
    Model("openai", "gpt-4.1-mini", 7, "v1/responses"),
    Model("openai", "o4-mini", 2, "v1/responses"),
    Model("openai", "text-embedding-3-small", 4, "v1/embeddings"),
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

ASKED = {
    "receipt": (
        "Read the total, the date and the merchant from this receipt. Answer in JSON.",
        "Is there a discount on this invoice? Name the line.",
        "Extract every line item with its price from the receipt.",
        "Which currency is this bill in, and what is the total due?",
    ),
    "screen": (
        "Describe this screen for somebody who cannot see it.",
        "Where is the button to cancel? Give its box in pixels.",
        "Does this page show an error message? Quote it.",
        "Compare these two screens and list what changed.",
    ),
    "chart": (
        "Which bar is the highest, and by how much?",
        "Turn this chart into a table with two columns.",
        "Summarise the trend in one sentence.",
    ),
    "hills": (
        "Write alternative text for this photograph, at most 120 characters.",
        "What time of day is it in this picture, and how can you tell?",
        "Is there a person in the picture? Answer yes or no.",
    ),
    "text": (
        "Rewrite this product description in plain words.",
        "Classify the ticket: billing, delivery, or something else.",
        "Translate the caption into German and Japanese.",
    ),
}

ANSWERS = (
    '{"merchant": "Corner Bakery", "date": "2026-10-14", "total": "23.80", "currency": "EUR"}',
    "There is no discount on this invoice. The last line reads 'Room 2 nights', without a deduction.",
    "A page of settings with a coloured header, a menu on the left and six rows; none of them is selected.",
    "The third bar is the highest, about a fifth above the second.",
    "| month | value |\n| --- | --- |\n| Jan | 41 |\n| Feb | 63 |\n| Mar | 57 |",
    "Rolling hills under a pale evening sky, the nearest ridge in shadow.",
    "Early evening: the light is warm and comes from low on the left.",
    "No.",
    "I cannot read the small print at this resolution. Could you send a larger picture?",
    "delivery",
    "Ein heller Raum mit Blick auf die Hügel. / 丘を望む明るい部屋。",
    "The button is at [412, 88, 506, 124].",
)
