"""Every documented way in with the published Python SDKs: how a client is made, and how its model is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import openai
import pytest
from openai import OpenAI
from portkey_ai import Portkey, createHeaders
from portkey_ai._vendor import openai as vendored

from tests.conftest import Stage
from tests.sdk.questions import (
    MODEL,
    SHOTS,
    Question,
)

Client = Any  # OpenAI or Portkey: called alike, typed apart
C = TypeVar("C")


@dataclass(frozen=True)
class Door:
    """One documented way in: how the client is made from a stage and a trace id, and how its model is written."""

    open: Callable[[Stage, str], Client]
    model: str = MODEL

    def named(self, stage: Stage, model: str = "") -> str:
        return self.model.replace("SLUG", stage.slug).replace(MODEL, model or MODEL)


OPENED: list[Client] = []


def kept(client: C) -> C:
    """The client, to be closed when the test is over."""
    OPENED.extend([client, client.openai_client] if isinstance(client, Portkey) else [client])
    return client


def portkey(stage: Stage, **options: Any) -> Portkey:
    return kept(Portkey(**{"api_key": stage.loupe.key, "base_url": stage.loupe.base} | options))


def headed(stage: Stage, key: str, **headers: str) -> OpenAI:
    """The OpenAI SDK with Portkey's headers."""
    return kept(OpenAI(api_key=key, base_url=stage.loupe.base, default_headers=createHeaders(**headers)))


def own(stage: Stage, trace: str) -> dict[str, str]:
    return {"provider": "openai", "custom_host": stage.base_url, "trace_id": trace}


SAVED_KEY_DOORS = {
    "Portkey(virtual_key)": Door(lambda s, t: portkey(s, virtual_key=s.slug, trace_id=t)),
    "Portkey(provider=@slug)": Door(lambda s, t: portkey(s, provider=f"@{s.slug}", trace_id=t)),
    "Portkey(), model=@slug": Door(lambda s, t: portkey(s, trace_id=t), f"@SLUG/{MODEL}"),
    "Portkey(config)": Door(lambda s, t: portkey(s, config={"virtual_key": s.slug}, trace_id=t)),
    "OpenAI(), model=@slug": Door(lambda s, t: headed(s, s.loupe.key, trace_id=t), f"@SLUG/{MODEL}"),
    "OpenAI+headers(virtual_key)": Door(
        lambda s, t: headed(s, "OPENAI_API_KEY", api_key=s.loupe.key, virtual_key=s.slug, trace_id=t)
    ),
    "OpenAI+headers(provider=@slug)": Door(
        lambda s, t: headed(s, s.loupe.key, api_key=s.loupe.key, provider=f"@{s.slug}", trace_id=t)
    ),
}
OWN_KEY_DOORS = {
    "Portkey(provider, Authorization)": Door(lambda s, t: portkey(s, Authorization=f"Bearer {s.secret}", **own(s, t))),
    "Portkey(provider, Authorization bare)": Door(lambda s, t: portkey(s, Authorization=s.secret, **own(s, t))),
    "OpenAI+headers(provider)": Door(lambda s, t: headed(s, s.secret, api_key=s.loupe.key, **own(s, t))),
}
TWO_DOORS = ["Portkey(virtual_key)", "OpenAI(), model=@slug"]
IMAGE_DOORS = [*TWO_DOORS, "Portkey(), model=@slug", "OpenAI+headers(virtual_key)"]

saved_key_doors = pytest.mark.parametrize("door", SAVED_KEY_DOORS.values(), ids=SAVED_KEY_DOORS)
two_doors = pytest.mark.parametrize("door", [SAVED_KEY_DOORS[name] for name in TWO_DOORS], ids=TWO_DOORS)
image_doors = pytest.mark.parametrize("door", [SAVED_KEY_DOORS[name] for name in IMAGE_DOORS], ids=IMAGE_DOORS)
every_shot = pytest.mark.parametrize("shot", SHOTS, ids=str)


def ask(client: Client, model: str, question: Question) -> list[str]:
    """The words of the answer, piece by piece."""
    asked = client.chat.completions.create(
        model=model, messages=question.messages, extra_body=question.unknown, **question.options
    )
    if not question.shot.stream:
        return [asked.choices[0].message.content]
    return [chunk.choices[0].delta.content for chunk in asked if chunk.choices and chunk.choices[0].delta.content]


def error_class(client: Client, name: str) -> type[openai.APIStatusError]:
    """The exception that the client's users catch; Portkey's client raises those of the OpenAI SDK inside it."""
    found: type[openai.APIStatusError] = getattr(vendored if isinstance(client, Portkey) else openai, name)
    return found
