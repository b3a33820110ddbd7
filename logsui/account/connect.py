"""The page Connect: paste-ready code that points each SDK at this Loupe."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from gateway.models import Workspace
from logsui.access import member, root_of


@dataclass(frozen=True, slots=True)
class Snippet:
    id: str
    title: str
    text: str


@require_GET
@member()
def connect_page(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    base = f"{root_of(request)}/v1"
    return render(
        request, "logsui/account/connect.html", {"workspace": workspace, "base": base, "snippets": snippets(base)}
    )


def snippets(base: str) -> list[Snippet]:
    """`base` is this Loupe's address with /v1."""
    return [Snippet(id, title, text.replace("{base}", base)) for id, title, text in TEMPLATES]


TEMPLATES = (
    (
        "openai-python",
        "OpenAI SDK, Python",
        """from openai import OpenAI

client = OpenAI(base_url="{base}", api_key="YOUR_LOUPE_KEY")
answer = client.chat.completions.create(
    model="@sandbox/vision",
    messages=[{"role": "user", "content": [
        {"type": "text", "text": "What is in this picture?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/picture.jpg"}},
    ]}],
)
print(answer.choices[0].message.content)""",
    ),
    (
        "openai-node",
        "OpenAI SDK, Node",
        """import OpenAI from "openai";

const client = new OpenAI({ baseURL: "{base}", apiKey: "YOUR_LOUPE_KEY" });
const answer = await client.chat.completions.create({
  model: "@sandbox/vision",
  messages: [{ role: "user", content: [
    { type: "text", text: "What is in this picture?" },
    { type: "image_url", image_url: { url: "https://example.com/picture.jpg" } },
  ]}],
});
console.log(answer.choices[0].message.content);""",
    ),
    (
        "portkey-python",
        "Portkey SDK, Python",
        """from portkey_ai import Portkey

client = Portkey(base_url="{base}", api_key="YOUR_LOUPE_KEY", virtual_key="sandbox")
answer = client.chat.completions.create(
    model="vision",
    messages=[{"role": "user", "content": [
        {"type": "text", "text": "What is in this picture?"},
        {"type": "image_url", "image_url": "https://example.com/picture.jpg"},
    ]}],
)
print(answer.choices[0].message.content)""",
    ),
    (
        "portkey-node",
        "Portkey SDK, Node",
        """import { Portkey } from "portkey-ai";

const client = new Portkey({ baseURL: "{base}", apiKey: "YOUR_LOUPE_KEY", virtualKey: "sandbox" });
const answer = await client.chat.completions.create({
  model: "vision",
  messages: [{ role: "user", content: [
    { type: "text", text: "What is in this picture?" },
    { type: "image_url", image_url: "https://example.com/picture.jpg" },
  ]}],
});
console.log(answer.choices[0].message.content);""",
    ),
    (
        "own-key",
        "Your provider's own key, passed through",
        """curl {base}/chat/completions \\
  -H "x-portkey-api-key: YOUR_LOUPE_KEY" \\
  -H "x-portkey-provider: openai" \\
  -H "Authorization: Bearer $OPENAI_API_KEY" \\
  -H "content-type: application/json" \\
  -d '{"model": "gpt-4o", "messages": [{"role": "user", "content": [
        {"type": "text", "text": "What is in this picture?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/picture.jpg"}}]}]}'""",
    ),
)
