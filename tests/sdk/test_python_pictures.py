"""Pictures that are made, edited and uploaded through the published Python SDKs."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tests.conftest import Stage
from tests.fake_upstream import event, response, stream
from tests.pictures import picture
from tests.sdk import forms
from tests.sdk.doors import (
    Door,
    image_doors,
    two_doors,
)
from tests.sdk.questions import (
    assert_viewable,
)


@image_doors
def test_a_generated_picture_comes_back_as_base64_and_is_in_the_log(stage: Stage, door: Door) -> None:
    made = picture(size=(64, 48), colour=(1, 2, 3))
    usage = {"input_tokens": 9, "output_tokens": 272, "total_tokens": 281}
    data = [{"b64_json": base64.b64encode(made).decode()}]
    stage.case.will(response(body={"created": 1, "data": data, "usage": usage}))
    client = door.open(stage, stage.trace)
    got = client.images.generate(model=door.named(stage, "gpt-image-1"), prompt="an otter", size="1024x1024", n=1)
    assert base64.b64decode(got.data[0].b64_json) == made
    assert stage.case.requests[0].path == "/v1/images/generations"
    assert stage.case.requests[0].json == {"model": "gpt-image-1", "prompt": "an otter", "size": "1024x1024", "n": 1}
    log = stage.log()
    [image] = log["images"]
    assert (image["direction"], image["source"], image["position"]) == ("output", "data", "data[0].b64_json")
    assert_viewable(stage.loupe, image, made, (64, 48))
    assert (log["req_units"], log["res_units"], log["total_units"], log["ai_model"]) == (9, 272, 281, "gpt-image-1")


@image_doors
def test_a_generated_picture_comes_back_as_a_link_and_is_in_the_log(stage: Stage, door: Door) -> None:
    url = "https://pictures.example/made.png?st=2026-01-01T00%3A00%3A00Z&sig=a%2Bb%3D"
    stage.case.will(response(body={"created": 1, "data": [{"url": url, "revised_prompt": "a wet otter"}]}))
    client = door.open(stage, stage.trace)
    got = client.images.generate(model=door.named(stage, "dall-e-3"), prompt="an otter", response_format="url")
    assert got.data[0].url == url
    assert stage.case.requests[0].json == {"model": "dall-e-3", "prompt": "an otter", "response_format": "url"}
    [image] = stage.log()["images"]
    assert (image["direction"], image["source"], image["source_url"]) == ("output", "link", url)


@pytest.mark.parametrize("count", [1, 3], ids=["one file", "several files"])
@image_doors
def test_uploaded_pictures_reach_the_provider_and_the_log(stage: Stage, door: Door, count: int) -> None:
    uploads = [picture(size=(20 + n, 30), colour=(n, 90, 90)) for n in range(count)]
    mask, made = picture(size=(20, 30), colour=(0, 0, 0)), picture(size=(64, 48), colour=(4, 5, 6))
    stage.case.will(response(body={"created": 1, "data": [{"b64_json": base64.b64encode(made).decode()}]}))
    files = [(f"{n}.png", data, "image/png") for n, data in enumerate(uploads)]
    got = door.open(stage, stage.trace).images.edit(
        model=door.named(stage, "gpt-image-1"),
        image=files if count > 1 else files[0],
        mask=("mask.png", mask, "image/png"),
        prompt="make it blue",
    )
    assert base64.b64decode(got.data[0].b64_json) == made
    request = stage.case.requests[0]
    sent = forms.fields(request.body, request.header("content-type") or "")
    assert request.path == "/v1/images/edits"
    texts = {one.name: one.content for one in sent if one.filename is None}
    assert texts == {"model": b"gpt-image-1", "prompt": b"make it blue"}
    name = "image[]" if count > 1 else "image"
    assert [one.content for one in sent if one.name == name] == uploads
    assert [one.content for one in sent if one.name == "mask"] == [mask]
    log = stage.log()
    inputs = {image["sha256"]: image for image in log["images"] if image["direction"] == "input"}
    assert {image["source"] for image in inputs.values()} == {"file"}
    assert len(inputs) == count + 1
    for n, data in enumerate(uploads):
        assert_viewable(stage.loupe, inputs[hashlib.sha256(data).hexdigest()], data, (20 + n, 30))
    [output] = [image for image in log["images"] if image["direction"] == "output"]
    assert_viewable(stage.loupe, output, made, (64, 48))
    assert log["prompt_preview"] == "make it blue"


@two_doors
def test_pictures_that_are_streamed_while_they_are_made_are_in_the_log(stage: Stage, door: Door) -> None:
    sketch, made = picture(size=(64, 48), colour=(10, 2, 3)), picture(size=(64, 48), colour=(20, 2, 3))
    usage = {"input_tokens": 9, "output_tokens": 272, "total_tokens": 281}
    shared = {"created_at": 1, "size": "1024x1024", "quality": "low", "background": "opaque", "output_format": "png"}
    early, late = (base64.b64encode(data).decode() for data in (sketch, made))
    steps = [
        {"type": "image_generation.partial_image", "b64_json": early, "partial_image_index": 0},
        {"type": "image_generation.completed", "b64_json": late, "usage": usage},
    ]
    stage.case.will(stream([b"event: %s\n" % step["type"].encode() + event(step | shared) for step in steps]))
    client = door.open(stage, stage.trace)
    got = client.images.generate(
        model=door.named(stage, "gpt-image-1"), prompt="an otter", stream=True, partial_images=1
    )
    assert [base64.b64decode(step.b64_json) for step in got] == [sketch, made]
    log = stage.log()
    assert log["state"] == "ok"
    for image, data in zip(log["images"], (sketch, made), strict=True):
        assert image["direction"] == "output"
        assert_viewable(stage.loupe, image, data, (64, 48))
    assert (log["req_units"], log["res_units"], log["total_units"]) == (9, 272, 281)
