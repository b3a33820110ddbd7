"""What a provider signs must come back to it in the next turn, through the caller's format."""

from __future__ import annotations

import json

import pytest

from gateway.translation import chat_request, gemini, responses_request
from gateway.translation.translator import Translator

CALL = {"functionCall": {"name": "look", "args": {"at": "x"}}, "thoughtSignature": "c2lnbmVk"}
ANSWER = {"candidates": [{"content": {"parts": [CALL]}, "finishReason": "STOP"}], "responseId": "r"}


@pytest.mark.parametrize("endpoint", ["/chat/completions", "/responses"])
def test_geminis_signature_of_a_call_comes_back_in_the_next_turn(endpoint: str) -> None:
    translator = Translator(endpoint=endpoint, wire="gemini", id="1", created=0, model="gemini-3-pro")
    answer = json.loads(translator.whole(json.dumps(ANSWER).encode()))
    if endpoint == "/responses":
        asked = {"input": [{"role": "user", "content": "look"}, *answer["output"]]}
        request = responses_request.read(asked, "gemini-3-pro")
    else:
        messages = [{"role": "user", "content": "look"}, answer["choices"][0]["message"]]
        request = chat_request.read({"messages": messages}, "gemini-3-pro")
    assert gemini.write(request).body["contents"][1]["parts"] == [CALL]
