"""Checks 17 to 20 of Portkey's protocol: stored prompts called by id, with the published SDKs of Python and Node."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from typing import Any

import pytest
from openai import OpenAI

from tests.conftest import Stage
from tests.fake_upstream import chat_events, stream
from tests.loupe import Loupe, until
from tests.pictures import data_url, picture
from tests.sdk.doors import kept, portkey
from tests.sdk.node import Node

MESSAGES = [
    {"role": "system", "content": "You read {{kind}}."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is the total of this {{kind}}?"},
            {"type": "image_url", "image_url": {"url": "{{receipt}}", "detail": "low"}},
        ],
    },
]
RAW = """[{"role": "user", "content": [{"type": "text", "text": "{{question}}"}
  {{#has_image}}, {"type": "image_url", "image_url": {"url": "{{image}}"}}{{/has_image}}]}]"""
HARD = 'He said "{{kind}}"\n\\ \u0001 \U0001f9fe'


@dataclass(frozen=True)
class Prompted:
    """A prompt of three versions: the second is published, the first is labelled, the third is newest."""

    stage: Stage
    writer: Any
    id: str
    slug: str

    def sent(self) -> Any:
        return json.loads(self.stage.case.requests[-1].body)


@pytest.fixture(scope="session")
def write_key(loupe: Loupe) -> str:
    scopes = [word for scope in ("prompts.use", "prompts.write") for word in ("--scope", scope)]
    return loupe.manage("apikey", "create", f"writer {uuid.uuid4().hex[:6]}", *scopes)


@pytest.fixture(scope="session")
def receipt(corner: Stage, write_key: str) -> Any:
    """Made once with the SDK, as what it answered."""
    writer = portkey(corner, api_key=write_key)
    made = writer.prompts.create(
        name=f"Receipt {uuid.uuid4().hex[:8]}",
        collection_id="receipts",
        string=json.dumps(MESSAGES),
        parameters={"max_tokens": 300, "temperature": 0},
        virtual_key=corner.slug,
        model="gpt-4o",
    )
    for n in (2, 3):
        writer.prompts.update(made.slug, string=json.dumps(MESSAGES).replace("You read", f"Version {n}: you read"))
    writer.prompts.publish(prompt_slug=made.slug, version=2)
    first = writer.prompts.versions.list(prompt_slug=made.slug).data[-1]
    writer.prompts.versions.update(prompt_slug=made.slug, version_id=first["id"], label_id="production")
    until(lambda: _begins(corner, f"{made.slug}@production") == "You", "the gateway knows the last change")
    return made


@pytest.fixture
def prompted(stage: Stage, receipt: Any, write_key: str) -> Prompted:
    return Prompted(stage, portkey(stage, api_key=write_key), receipt.id, receipt.slug)


def _begins(stage: Stage, name: str) -> str:
    status, _, answer = stage.post(f"/v1/prompts/{name}/render", b"{}")
    return json.loads(answer)["data"]["messages"][0]["content"].split()[0] if status == 200 else ""


@pytest.mark.parametrize(
    ("end", "version", "begins"),
    [
        ("", 2, "Version 2"),
        ("@latest", 3, "Version 3"),
        ("@1", 1, "You"),
        ("@production", 1, "You"),
        ("@2", 2, "Version 2"),
    ],
)
def test_a_prompt_is_called_by_slug_id_version_and_label(
    prompted: Prompted, end: str, version: int, begins: str
) -> None:
    for name in (prompted.slug, prompted.id):
        stage = replace(prompted.stage, trace=f"trace-{uuid.uuid4()}")
        client = portkey(stage, trace_id=stage.trace)
        answered = client.prompts.completions.create(
            prompt_id=name + end, variables={"kind": "receipt", "receipt": data_url(picture())}
        )
        assert answered.choices[0].message.content == "A red square."
        sent = prompted.sent()
        assert sent["messages"][0]["content"].startswith(begins)
        assert sent["messages"][1]["content"][1]["image_url"] == {"url": data_url(picture()), "detail": "low"}
        assert (sent["model"], sent["max_tokens"], sent["temperature"]) == ("gpt-4o", 300, 0)
        log = stage.log()
        assert (log["prompt_slug"], log["prompt_version"]) == (prompted.slug, version)
        assert log["prompt_label"] == ("production" if end == "@production" else None)
        place = "messages[1].content[1].image_url.url"
        assert log["prompt_variables"] == {"kind": "receipt", "receipt": {"picture": place}}
        assert [one["position"] for one in log["images"]] == [place]
    found = prompted.stage.loupe.logs(f"q=version:{prompted.slug}@{version}")
    assert {one["prompt_version"] for one in found} == {version}
    assert len(found) >= 2


def test_overrides_beat_what_is_saved_and_are_not_saved(prompted: Prompted) -> None:
    prompted.stage.case.will(stream(chat_events("A", " total")))
    chunks = portkey(prompted.stage).prompts.completions.create(
        prompt_id=prompted.slug,
        variables={"kind": "bill"},
        stream=True,
        max_tokens=7,
        temperature=1,
        model=f"@{prompted.stage.slug}/gpt-4o-mini",
    )
    words = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert words == ["A", " total"]
    sent = prompted.sent()
    assert (sent["stream"], sent["max_tokens"], sent["temperature"], sent["model"]) == (True, 7, 1, "gpt-4o-mini")
    saved = prompted.writer.prompts.retrieve(prompt_slug=prompted.slug)
    assert saved.parameters == {"max_tokens": 300, "temperature": 0}


def test_what_render_answers_can_be_sent_as_it_is(prompted: Prompted) -> None:
    rendered = portkey(prompted.stage).prompts.render(
        prompt_id=prompted.slug, variables={"kind": "receipt", "receipt": "https://x.example/1.jpg"}
    )
    assert rendered.success
    data = rendered.data.model_dump(exclude_none=True) if hasattr(rendered.data, "model_dump") else dict(rendered.data)
    client = kept(OpenAI(api_key=prompted.stage.loupe.key, base_url=prompted.stage.loupe.base))
    assert client.chat.completions.create(**data).choices[0].message.content == "A red square."
    assert prompted.sent()["messages"][1]["content"][1]["image_url"]["url"] == "https://x.example/1.jpg"


def test_node_calls_streams_and_renders(prompted: Prompted, node: Node) -> None:
    stage = prompted.stage
    basis = {"sdk": "portkey", "options": {"apiKey": stage.loupe.key, "baseURL": stage.loupe.base}}
    variables = {"kind": "", "receipt": data_url(picture())}
    asked = {"promptID": prompted.slug, "variables": variables}
    whole, mistaken, rendered = node(
        [
            basis | {"method": "prompts.completions.create", "args": [asked]},
            basis
            | {
                "method": "prompts.completions.create",
                "args": [{"promptId": prompted.slug, "prompt_id": prompted.slug, "variables": variables}],
            },
            basis | {"method": "prompts.render", "args": [asked]},
        ]
    )
    assert whole.words == mistaken.words == ["A red square."]
    assert rendered.value["data"]["messages"][0]["content"] == "Version 2: you read ."
    stage.case.will(stream(chat_events("A", " total")))
    [streamed] = node([basis | {"method": "prompts.completions.create", "args": [asked | {"stream": True}]}])
    assert streamed.words == ["A", " total"]


def test_hard_values_arrive_as_they_were_given(prompted: Prompted) -> None:
    big = "data:image/png;base64," + "iVBORw0KGgo" + "A" * 5_000_001
    client = portkey(prompted.stage)
    client.prompts.completions.create(prompt_id=prompted.slug, variables={"kind": HARD, "receipt": big})
    sent = prompted.sent()
    assert sent["messages"][0]["content"] == f"Version 2: you read {HARD}."
    assert sent["messages"][1]["content"][1]["image_url"]["url"] == big
    client.prompts.completions.create(prompt_id=prompted.slug, variables={"kind": "", "receipt": ""})
    assert [part["type"] for part in prompted.sent()["messages"][1]["content"]] == ["text"]


def test_a_raw_template_has_a_part_when_its_section_is_true(prompted: Prompted, write_key: str) -> None:
    body = {"name": "Raw", "string": RAW, "is_raw_template": 1, "virtual_key": prompted.stage.slug, "model": "gpt-4o"}
    _, _, answer = prompted.stage.loupe.call("/v1/prompts", body, headers={"x-portkey-api-key": write_key})
    slug = json.loads(answer)["slug"]
    client = portkey(prompted.stage)
    for variables, count in (
        ({"question": HARD, "has_image": True, "image": "https://x.example/1.jpg"}, 2),
        ({"question": HARD, "has_image": False}, 1),
    ):
        client.prompts.completions.create(prompt_id=slug, variables=variables)
        parts = prompted.sent()["messages"][0]["content"]
        assert len(parts) == count
        assert parts[0]["text"] == HARD


def test_a_picture_of_a_log_is_named_by_its_hash(prompted: Prompted) -> None:
    client = portkey(prompted.stage, trace_id=prompted.stage.trace)
    client.prompts.completions.create(prompt_id=prompted.slug, variables={"receipt": data_url(picture("JPEG"))})
    [image] = prompted.stage.log()["images"]
    client.prompts.completions.create(prompt_id=prompted.slug, variables={"receipt": f"loupe:sha256:{image['sha256']}"})
    assert prompted.sent()["messages"][1]["content"][1]["image_url"]["url"] == data_url(picture("JPEG"), "image/jpeg")


@pytest.mark.parametrize(
    ("name", "body", "status", "says"),
    [
        ("no-such-prompt", {}, 404, "There is no prompt 'no-such-prompt'"),
        ("SLUG@9", {}, 404, "versions go from 1 to 3"),
        ("SLUG@canary", {}, 404, "no label canary; its labels: production"),
        ("SLUG", {"variables": {"receipt": "not a picture"}}, 400, "'not a picture' is not a picture"),
        ("SLUG", {"variables": [1]}, 400, "variables must be an object"),
    ],
)
def test_what_cannot_be_called_says_why_and_is_in_the_log(
    prompted: Prompted, name: str, body: dict[str, Any], status: int, says: str
) -> None:
    path = f"/v1/prompts/{name.replace('SLUG', prompted.slug)}/completions"
    got, _, answer = prompted.stage.post(path, json.dumps(body).encode())
    assert got == status
    assert says in json.loads(answer)["error"]["message"]
    assert prompted.stage.log()["state"] == "refused"


def test_a_key_without_the_scope_reads_but_does_not_write(prompted: Prompted) -> None:
    status, _, answer = prompted.stage.loupe.call("/v1/prompts", {"name": "x", "string": "[]"})
    assert status == 403
    assert "prompts.write" in json.loads(answer)["error"]["message"]


def test_partials_and_lists_work_through_the_sdk(prompted: Prompted) -> None:
    writer, stage = prompted.writer, prompted.stage
    tone = writer.prompts.partials.create(name=f"Tone {uuid.uuid4().hex[:6]}", string="Be {{how}}.")
    made = writer.prompts.create(
        name="With a partial",
        collection_id="tones",
        string=json.dumps([{"role": "user", "content": f"{{{{>{tone.slug}}}}}"}]),
        parameters={},
        virtual_key=stage.slug,
        model="gpt-4o",
    )
    client = portkey(stage)
    client.prompts.completions.create(prompt_id=made.slug, variables={"how": "brief"})
    assert prompted.sent()["messages"][0]["content"] == "Be brief."
    assert made.slug in {one["slug"] for one in writer.prompts.list(collection_id="tones").data}
    assert "production" in {one["name"] for one in writer.labels.list().data}
    writer.prompts.delete(prompt_slug=made.slug)
    assert made.slug not in {one["slug"] for one in writer.prompts.list().data}


def test_labels_of_ones_own_work_through_the_sdk(prompted: Prompted) -> None:
    writer, name = prompted.writer, f"canary-{uuid.uuid4().hex[:6]}"
    made = writer.labels.create(name=name, description="a first few", color_code="#c00")
    assert made.id == name
    assert (writer.labels.retrieve(label_id=name).description, name) == ("a first few", name)
    version = writer.prompts.versions.list(prompt_slug=prompted.slug).data[0]
    writer.prompts.versions.update(prompt_slug=prompted.slug, version_id=version["id"], label_id=name)
    until(lambda: _begins(prompted.stage, f"{prompted.slug}@{name}") == "Version", "it is served by its label")
    writer.labels.update(label_id=name, name=f"{name}-2", description="a second few")
    until(lambda: _begins(prompted.stage, f"{prompted.slug}@{name}-2") == "Version", "the label has its new name")
    assert _begins(prompted.stage, f"{prompted.slug}@{name}") == ""
    writer.labels.delete(label_id=f"{name}-2")
    until(lambda: _begins(prompted.stage, f"{prompted.slug}@{name}-2") == "", "the label is gone")
    assert f"{name}-2" not in {one["name"] for one in writer.labels.list().data}


@pytest.mark.parametrize(
    ("method", "path", "body", "says"),
    [
        ("POST", "/v1/labels", {"name": "production"}, "There is a label production already"),
        ("POST", "/v1/labels", {"name": "latest"}, "'latest' cannot be a label"),
        ("DELETE", "/v1/labels/production", {}, "production is a built-in label"),
        ("PUT", "/v1/labels/no-such", {"name": "x"}, "There is no label 'no-such'"),
        ("POST", "/v1/collections", {"name": " "}, "A folder needs a name"),
        ("DELETE", "/v1/collections/receipts", {}, "prompts in receipts. Move or delete them first"),
        ("GET", "/v1/collections/no/such", None, "There is no collection 'no/such'"),
    ],
)
def test_what_cannot_be_done_to_labels_and_collections_is_said(
    prompted: Prompted, write_key: str, method: str, path: str, body: Any, says: str
) -> None:
    key = {"x-portkey-api-key": write_key}
    status, _, answer = prompted.stage.loupe.call(path, body, method=method, headers=key)
    assert status in (400, 404)
    assert says in json.loads(answer)["error"]["message"]


def test_collections_are_made_filled_renamed_and_deleted(prompted: Prompted) -> None:
    writer, name = prompted.writer, f"till {uuid.uuid4().hex[:6]}"
    outer = writer.collections.create(name=name)
    inner = writer.collections.create(name="may", parent_collection_id=outer.id)
    assert inner.id == f"{name}/may"
    made = writer.prompts.create(
        name="In a folder",
        collection_id=inner.id,
        string=json.dumps([{"role": "user", "content": "x"}]),
        parameters={},
        virtual_key=prompted.stage.slug,
        model="gpt-4o",
    )
    writer.collections.update(collection_id=outer.id, name=f"{name} renamed")
    moved = writer.collections.retrieve(collection_id=f"{name} renamed/may")
    assert (moved.name, moved.parent_collection_id) == ("may", f"{name} renamed")
    assert [one["slug"] for one in writer.prompts.list(collection_id=moved.id).data] == [made.slug]
    writer.prompts.delete(prompt_slug=made.slug)
    writer.collections.delete(collection_id=f"{name} renamed")
    assert not [one for one in writer.collections.list(search=name).data if one["slug"].startswith(name)]


def test_node_makes_labels_and_collections(prompted: Prompted, write_key: str, node: Node) -> None:
    name = f"node-{uuid.uuid4().hex[:6]}"
    basis = {"sdk": "portkey", "options": {"apiKey": write_key, "baseURL": prompted.stage.loupe.base}}
    calls = [
        ("labels.create", [{"name": name, "description": "from Node"}]),
        ("labels.retrieve", [name]),
        ("labels.update", [name, {"color_code": "#c00"}]),
        ("labels.list", []),
        ("labels.delete", [name]),
        ("collections.create", [{"name": name}]),
        ("collections.retrieve", [name]),
        ("collections.delete", [name]),
    ]
    done = node([basis | {"method": method, "args": args} for method, args in calls])
    assert [one.ok for one in done] == [True] * 8, [one.message for one in done]
    assert done[1].value["description"] == "from Node"
    assert {one["color_code"] for one in done[3].value["data"] if one["name"] == name} == {"#c00"}
    assert done[6].value["name"] == name
