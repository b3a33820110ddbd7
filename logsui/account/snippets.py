"""Paste-ready code for the Connect page: how each SDK is pointed at this Loupe."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Snippet:
    id: str
    title: str
    text: str


def snippets(base: str) -> list[Snippet]:
    """`base` is this Loupe's address with /v1."""
    made = [Snippet(id, title, text.replace("{base}", base)) for id, title, text in TEMPLATES]
    return made


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
        """import Portkey from "portkey-ai";

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
