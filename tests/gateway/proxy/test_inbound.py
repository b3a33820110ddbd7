"""Bodies in every encoding and form that clients send, and those that are made to take long: read, or passed on to the byte."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable

import pytest

from tests.conftest import Stage
from tests.fake_upstream import response
from tests.gateway.proxy.test_passing import PACKED
from tests.gateway.proxy.test_prompt_calls import longest_health
from tests.gateway.proxy.test_proxy import error_of
from tests.logsui.browser import Browser
from tests.patience import SOON_SECONDS
from tests.pictures import data_url, picture

PIECES = ["[],", "{},", '"a",', "1.5,", '"\\"",']


@pytest.mark.parametrize("piece", PIECES)
def test_a_body_of_very_many_values_passes_unread(
    stage: Stage, piece: str, long_or_short: Callable[[int, int], int]
) -> None:
    many = long_or_short(60, 8) * 1024 * 1024 // len(piece)
    body = b'{"model": "@%s/m", "messages": [], "x": [%s0]}' % (stage.slug.encode(), piece.encode() * many)
    stop, longest = threading.Event(), list[float]()
    watcher = threading.Thread(target=lambda: longest.append(longest_health(stage, stop)))
    watcher.start()
    status = stage.post("/v1/chat/completions", body)[0]
    stop.set()
    watcher.join()
    assert status == 200
    assert longest[0] < SOON_SECONDS
    assert stage.case.requests[0].body == body.replace(b"@%s/" % stage.slug.encode(), b"")
    log = stage.log()
    assert "the request holds more than 1,000,000 JSON values: it is kept, but was not read" in log["warnings"]
    assert Browser(stage.loupe).get(f"/w/default/logs/{log['id']}/body/request").body == body


def test_so_does_one_with_half_a_character_in_it_and_one_that_is_no_json_is_refused_for_that(stage: Stage) -> None:
    body = b'{"model": "@%s/m", "messages": [], "y": "\\ud800", "x": [%s0]}' % (stage.slug.encode(), b"[]," * 1_100_000)
    assert stage.post("/v1/chat/completions", body, x_portkey_virtual_key=stage.slug)[0] == 400  # the slug stays
    plain = body.replace(b"@%s/" % stage.slug.encode(), b"")
    assert stage.post("/v1/chat/completions", plain, x_portkey_virtual_key=stage.slug)[0] == 200
    assert stage.case.requests[0].body == plain
    status, _, answer = stage.post("/v1/chat/completions", plain + b"}")
    assert status == 400
    assert b"trailing characters" in answer


def test_of_very_many_pictures_the_first_are_kept_apart(stage: Stage) -> None:
    data = [picture()[:-1] + bytes([n % 256, n // 256]) for n in range(1200)]
    parts = [{"type": "image_url", "image_url": {"url": data_url(one)}} for one in data]
    body = json.dumps({"model": f"@{stage.slug}/m", "messages": [{"role": "user", "content": parts}]})
    assert stage.post("/v1/chat/completions", body.encode())[0] == 200
    log = stage.log()
    assert log["input_images"] == 1000
    assert any("more than 1,000 files" in line for line in log["warnings"])
    assert Browser(stage.loupe).get(f"/w/default/logs/{log['id']}/body/request").body == body.encode()


def test_multipart_edits_pass_through_with_the_models_own_name(stage: Stage) -> None:
    first, second = picture(), picture("JPEG", (20, 50))
    stage.case.will(
        response(body={"created": 1, "data": [{"b64_json": data_url(picture(colour=(0, 0, 255))).partition(",")[2]}]})
    )
    boundary = "XyZ"
    body = (
        b"".join(
            b'--XyZ\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (name, extra, content)
            for name, extra, content in [
                (b"model", b"", f"@{stage.slug}/gpt-image-1".encode()),
                (b"prompt", b"", b"make it blue"),
                (b"image[]", b'; filename="a.png"\r\nContent-Type: image/png', first),
                (b"image[]", b'; filename="b.jpg"\r\nContent-Type: image/jpeg', second),
            ]
        )
        + b"--XyZ--\r\n"
    )
    status, _, _ = stage.post("/v1/images/edits", body, content_type=f"multipart/form-data; boundary={boundary}")
    assert status == 200
    assert stage.case.requests[0].body == body.replace(f"@{stage.slug}/".encode(), b"")
    log = stage.log()
    assert [(i["direction"], i["width"], i["height"], i["media_type"]) for i in log["images"]] == [
        ("input", 40, 30, "image/png"),
        ("input", 20, 50, "image/jpeg"),
        ("output", 40, 30, "image/png"),
    ]
    assert log["prompt_preview"] == "make it blue"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"model": "@SLUG/\\ud800", "messages": []}', {}, 400),
        (b'{"model": "@SLUG/m", "messages": [], "user": "\\ud800"}', {}, 200),
        (b'{"model": "@SLUG/m", "messages": []}', {"x-portkey-metadata": '{"a": "\\ud800"}'}, 200),
        (b'{"model": "@SLUG/m", "messages": []}', {"x-portkey-metadata": "[" * 30_000}, 400),
        (b'{"model": "@SLUG/m", "messages": []}', {"x-portkey-config": "{" + '"a":[' * 5000}, 400),
        (b'{"model": "@SLUG/m", "x": 1e400}', {}, 200),
        (b'{"model": "@sandbox/vision", "messages": "\xff"}', {}, 400),
        (b"--b\r\n\r\n--b--", {"content-type": "multipart/form-data; boundary=b"}, 415),
    ],
)
def test_odd_but_possible_input_is_never_a_500(stage: Stage, body: bytes, headers: dict[str, str], status: int) -> None:
    got, _, answer = stage.loupe.call(
        "/v1/chat/completions", body.replace(b"SLUG", stage.slug.encode()), headers=headers
    )
    assert got == status, answer


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_compressed_request_is_read_and_goes_on_as_it_is_read(stage: Stage, encoding: str) -> None:
    url = data_url(picture("PNG"))
    body = {"model": f"@{stage.slug}/gpt-4o", "messages": [{"role": "user", "content": [{"image_url": {"url": url}}]}]}
    packed = PACKED[encoding](json.dumps(body).encode())
    assert stage.post("/v1/chat/completions", packed, content_encoding=encoding)[0] == 200
    sent = stage.case.requests[0]
    assert (sent.json["messages"], sent.header("content-encoding")) == (body["messages"], None)
    assert stage.log()["input_images"] == 1


@pytest.mark.parametrize(
    ("encoding", "body", "status", "told"),
    [
        ("compress", b"x", 415, "compress"),
        ("gzip", b"no gzip", 400, "cannot be unpacked from gzip"),
        ("gzip", gzip.compress(b" " * (70 << 20)), 400, "more than"),
    ],
)
def test_a_compressed_request_that_cannot_be_read_says_why(
    stage: Stage, encoding: str, body: bytes, status: int, told: str
) -> None:
    answer = stage.post("/v1/chat/completions", body, content_encoding=encoding)
    assert answer[0] == status
    assert told in error_of(answer[2])["message"]
    assert not stage.case.requests


def test_a_compressed_body_that_nobody_reads_is_passed_on_with_its_header(stage: Stage) -> None:
    packed = gzip.compress(b'{"input": "x"}')
    headers = {"content_encoding": "gzip", "x_portkey_virtual_key": stage.slug}
    stage.post("/v1/moderations", packed, **headers)
    sent = stage.case.requests[0]
    assert (sent.body, sent.header("content-encoding")) == (packed, "gzip")


@pytest.mark.parametrize("model", ["gpt-image-1", "@{slug}/gpt-image-1"])
def test_a_form_without_quotes_as_net_writes_it_is_read(stage: Stage, model: str) -> None:
    body = (
        b"--b\r\nContent-Disposition: form-data; name=image; filename=a.png; filename*=utf-8''a.png\r\n"
        b"Content-Type: application/octet-stream\r\n\r\n" + picture("PNG") + b"\r\n"
        b"--b\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; name=prompt\r\n\r\nA big cat.\r\n"
        b"--b\r\nContent-Disposition: form-data; name=model\r\n\r\n"
        + model.format(slug=stage.slug).encode()
        + b"\r\n--b--\r\n"
    )
    headers = {"content_type": 'multipart/form-data; boundary="b"', "x_portkey_virtual_key": stage.slug}
    status, answer, _ = stage.post(
        "/v1/images/edits", body, **headers if "@" not in model else {"content_type": headers["content_type"]}
    )
    assert status == 200
    log = stage.log()
    assert (log["ai_model"], log["prompt_preview"], log["images"][0]["position"]) == (
        "gpt-image-1",
        "A big cat.",
        "image",
    )
    assert "declared as application/octet-stream, but the bytes are image/png" in answer["x-loupe-warnings"]
    assert [one["id"] for one in stage.loupe.logs(f"q=mistyped:yes+trace:{stage.trace}")] == [log["id"]]


def test_a_form_that_names_two_models_is_refused(stage: Stage) -> None:
    field = b'--b\r\nContent-Disposition: form-data; name="model"%s\r\n\r\n%s\r\n'
    for second in (field % (b"", b"o3"), field % (b'; filename="x"', b"o3")):
        body = field % (b"", b"gpt-image-1") + second + b"--b--\r\n"
        headers = {"content_type": "multipart/form-data; boundary=b", "x_portkey_virtual_key": stage.slug}
        status, _, answer = stage.post("/v1/images/edits", body, **headers)
        assert (status, json.loads(answer)["error"]["code"]) == (400, "invalid_model")
    assert not stage.case.requests
