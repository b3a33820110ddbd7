"""Every picture of a request or an answer is kept, whatever its spelling, and is served without harm."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Stage
from tests.fake_upstream import FakeUpstream, event, raw, response, stream
from tests.logsui.browser import Browser
from tests.loupe import Loupe, until
from tests.pictures import data_url, picture

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
PDF = b"%PDF-1.7\n" + b"%" * 80
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(80)


def with_image(url: str) -> dict[str, Any]:
    return {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}],
            }
        ]
    }


def fetch(stage: Stage, url: str) -> tuple[int, dict[str, str], bytes]:
    return stage.loupe.call(url.removeprefix(stage.loupe.root), headers={"content-type": ""})


@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "GIF", "WEBP", "AVIF", "BMP"])
def test_a_drawn_format_is_served_as_it_was_and_as_a_thumbnail(stage: Stage, fmt: str) -> None:
    data = picture(fmt, (400, 300))
    stage.chat(with_image(data_url(data, "image/whatever")))
    image = stage.log()["images"][0]
    assert (image["sha256"], image["width"], image["height"], image["bytes"]) == (
        hashlib.sha256(data).hexdigest(),
        400,
        300,
        len(data),
    )
    assert image["position"] == "messages[0].content[1].image_url.url"
    status, headers, body = fetch(stage, image["url"])
    assert (status, body) == (200, data)
    assert {name: headers.get(name) for name in SAFE_HEADERS} == SAFE_HEADERS
    assert headers["content-type"] == image["media_type"] == f"image/{fmt.lower()}"
    assert headers["content-disposition"] == f'inline; filename="{image["sha256"][:12]}.{fmt.lower()}"'
    path = image["url"].removeprefix(stage.loupe.root)
    assert stage.loupe.call(path, headers={"range": "bytes=2-5"})[::2] == (206, data[2:6])
    assert stage.loupe.call(path, headers={"range": "bytes=-3"})[::2] == (206, data[-3:])
    assert stage.loupe.call(path, headers={"range": "bytes=999999-"})[0] == 416
    assert stage.loupe.call(path, headers={"if-none-match": headers["etag"]})[0] == 304
    status, headers, body = fetch(stage, image["thumbnail_url"])
    assert (status, headers["content-type"], body[8:12]) == (200, "image/webp", b"WEBP")


SAFE_HEADERS = {
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "private, max-age=31536000, immutable",
}


@pytest.mark.parametrize(
    ("data", "media_type"),
    [(SVG, "image/svg+xml"), (PDF, "application/pdf"), (HEIC, "image/heic"), (picture("TIFF"), "image/tiff")],
)
def test_what_is_not_drawn_is_labelled_and_given_only_as_a_download(stage: Stage, data: bytes, media_type: str) -> None:
    stage.chat(with_image(data_url(data, "image/png")))
    image = stage.log()["images"][0]
    assert (image["media_type"], image["thumbnail_url"]) == (media_type, None)
    status, headers, body = fetch(stage, image["url"])
    assert (status, body) == (200, data)
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"] == f'attachment; filename="{image["sha256"][:12]}.bin"'
    assert (headers["cache-control"], headers["content-security-policy"]) == ("no-store", "default-src 'none'; sandbox")


@pytest.mark.parametrize(("kept", "problem"), [(45, "image_undecodable"), (200, "image_truncated")])
def test_a_broken_picture_costs_nothing_and_the_log_says_why(stage: Stage, kept: int, problem: str) -> None:
    broken = picture("PNG", (300, 300))[:kept] + b"?" * (200 - kept)
    assert stage.chat(with_image(data_url(broken)))[0] == 200
    image = until(lambda: next((i for i in stage.log()["images"] if i["problem"]), None), "the reason is there")
    assert (image["problem"], image["width"]) == (problem, 300)
    assert fetch(stage, image["url"])[2] == broken


def test_a_data_url_that_is_none_is_named(stage: Stage) -> None:
    stage.chat(with_image("data:image/png;base64,@@@"))
    image = stage.log()["images"][0]
    assert (image["sha256"], image["url"], image["snapshot"]) == (None, None, "failed: the data URL is empty")


def test_forty_pictures_of_one_kind_are_one_blob_in_forty_places(stage: Stage) -> None:
    url = data_url(picture(size=(33, 44)))
    parts = [{"type": "image_url", "image_url": {"url": url, "detail": "low" if n % 2 else "high"}} for n in range(40)]
    stage.chat({"messages": [{"role": "user", "content": parts}]})
    images = stage.log()["images"]
    assert len(images) == 40
    assert len({image["sha256"] for image in images}) == 1
    assert [image["position"] for image in images][39] == "messages[0].content[39].image_url.url"
    assert images[1]["detail"] == "low"


def test_pictures_are_found_in_any_corner_of_any_shape(stage: Stage) -> None:
    one, two, three = (picture(colour=(n, n, n)) for n in (10, 20, 30))
    body = {
        "messages": [
            {"role": "system", "content": [{"type": "image_url", "image_url": data_url(one)}]},
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": "1",
                        "type": "function",
                        "function": {"name": "f", "arguments": json.dumps({"shot": data_url(two)})},
                    }
                ],
            },
            {
                "role": "tool",
                "tool_call_id": "1",
                "content": [{"type": "image", "source": {"type": "base64", "data": base64.b64encode(three).decode()}}],
            },
        ]
    }
    stage.chat(body)
    assert [image["sha256"] for image in stage.log()["images"]] == [
        hashlib.sha256(data).hexdigest() for data in (one, two, three)
    ]


def test_streamed_pictures_are_found(stage: Stage) -> None:
    made = picture(colour=(1, 2, 3))
    done = {
        "type": "image_generation.completed",
        "b64_json": base64.b64encode(made).decode(),
        "usage": {"input_tokens": 9, "output_tokens": 100, "total_tokens": 109},
    }
    stage.case.will(
        stream(
            [
                event({"type": "image_generation.partial_image", "b64_json": base64.b64encode(picture()).decode()}),
                b"event: image_generation.completed\n" + event(done),
            ]
        )
    )
    stage.post(
        "/v1/images/generations",
        json.dumps({"model": f"@{stage.slug}/gpt-image-1", "prompt": "x", "stream": True}).encode(),
    )
    log = stage.log()
    assert log["images"][-1]["sha256"] == hashlib.sha256(made).hexdigest()
    assert (log["state"], log["total_units"]) == ("ok", 109)


def test_the_stored_bodies_are_exact(own_loupe: Callable[..., Loupe], upstream: FakeUpstream) -> None:
    """Asked of the database and the blobs directly, through the code that the download uses."""
    loupe = own_loupe()
    loupe.add_virtual_key("exact", upstream.url("exact"))
    body = json.dumps(
        {
            "model": "@exact/m",
            "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": data_url(picture())}]}],
        },
        indent=3,
    ).encode()
    answer = b'{ "choices": [], "x" :"' + base64.b64encode(picture("JPEG")) + b'"}'
    upstream.on("exact").will(response(body=answer))
    loupe.call("/v1/chat/completions", body, headers={"x-portkey-trace-id": "exact"})
    loupe.log("exact")
    code = "import sys; from gateway.recording import bodies; from gateway.models import Payload; p = Payload.objects.get(log__trace_id='exact'); sys.stdout.buffer.write(b'|||'.join([bodies.request_body(p), bodies.sent_body(p), bodies.response_body(p)]))"
    kept = loupe.manage("shell", "--no-imports", "-c", code).encode()
    assert kept == b"|||".join([body, upstream.on("exact").requests[0].body, answer])


def test_a_link_is_copied_once_and_shown_when_it_is_dead(
    own_loupe: Callable[..., Loupe], upstream: FakeUpstream
) -> None:
    loupe = own_loupe(LOUPE_SNAPSHOT="on", LOUPE_FETCH_HOSTS=f"127.0.0.1:{upstream.port}")
    data = picture(size=(70, 50))
    upstream.on("photos").will(response(body=data, headers={"content-type": "text/html"}))
    link = f"http://127.0.0.1:{upstream.port}/photos/v1/a.jpg?size=large"
    for trace in ("first", "second"):
        loupe.call(
            "/v1/chat/completions",
            {"model": "@sandbox/vision", **with_image(link)},
            headers={"x-portkey-trace-id": trace},
        )
        until(lambda trace=trace: loupe.log(trace)["images"][0]["snapshot"] == "kept", "the link is copied")  # type: ignore[misc]
    upstream.on("photos").will(response(404, b""))
    assert len(upstream.on("photos").requests) == 1
    image = loupe.log("second")["images"][0]
    assert (image["source"], image["source_url"], image["media_type"], image["width"]) == (
        "link",
        link,
        "image/png",
        70,
    )
    assert loupe.call(image["url"].removeprefix(loupe.root))[2] == data
    fetched = upstream.on("photos").requests[0]
    assert fetched.header("authorization") is fetched.header("cookie") is None


def test_a_link_that_cannot_be_copied_says_why(own_loupe: Callable[..., Loupe], upstream: FakeUpstream) -> None:
    loupe = own_loupe(LOUPE_SNAPSHOT="on", LOUPE_FETCH_HOSTS=f"127.0.0.1:{upstream.port}")
    upstream.on("gone").will(response(410, b""))
    upstream.on("page").will(response(body=b"<html>hello</html>"))
    for trace, link, reason in (
        ("inner", "http://169.254.169.254/latest/meta-data", "failed: the host was not reached, or it broke off"),
        ("gone", f"http://127.0.0.1:{upstream.port}/gone/a.png", "failed: the host answered 410"),
        ("page", f"http://127.0.0.1:{upstream.port}/page/a.png", "failed: what the link gives is not an image"),
    ):
        loupe.call(
            "/v1/chat/completions",
            {"model": "@sandbox/vision", **with_image(link)},
            headers={"x-portkey-trace-id": trace},
        )
        until(lambda t=trace, r=reason: loupe.log(t)["images"][0]["snapshot"] == r, reason)  # type: ignore[misc]


def test_with_copies_off_a_link_says_so(stage: Stage) -> None:
    stage.chat(with_image("https://example.com/a.png"))
    image = stage.log()["images"][0]
    assert (image["snapshot"], image["source_url"], image["url"]) == ("off", "https://example.com/a.png", None)


def test_naughty_strings_survive_the_whole_way(stage: Stage, corpora: Path) -> None:
    strings = [*json.loads((corpora / "blns" / "blns.json").read_text()), "a\0b", "\u202e right to left", "\ud800"]
    content = [{"type": "text", "text": text} for text in strings]
    body = json.dumps(
        {"model": f"@{stage.slug}/m", "user": "a\0b", "messages": [{"role": "user", "content": content}]}
    ).encode()
    status, _, answer = stage.post("/v1/chat/completions", body)
    assert status == 200, answer
    kept = stage.log()["request"]["body"]["messages"][0]["content"]
    assert [part["text"] for part in kept] == strings


def test_the_json_test_suite_is_answered_with_200_or_400(stage: Stage, corpora: Path) -> None:
    files = sorted((corpora / "json-test-suite" / "test_parsing").glob("*.json"))
    assert len(files) > 300
    statuses = {
        file.name: stage.post("/v1/chat/completions", file.read_bytes(), x_portkey_virtual_key=stage.slug)[0]
        for file in files
    }
    assert set(statuses.values()) <= {200, 400}
    assert {name for name, status in statuses.items() if status == 200 and name.startswith("n_")} == set()


def test_an_answer_that_is_a_picture_or_compressed_is_kept(stage: Stage) -> None:
    data = picture("JPEG", (90, 60))
    stage.case.will(
        raw(b"HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\ncontent-length: %d\r\n\r\n" % len(data) + data)
    )
    request = urllib.request.Request(
        f"{stage.loupe.base}/files/f1/content",
        headers={
            "x-portkey-api-key": stage.loupe.key,
            "x-portkey-virtual-key": stage.slug,
            "x-portkey-trace-id": stage.trace,
        },
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.read() == data
    assert stage.log()["images"][0]["sha256"] == hashlib.sha256(data).hexdigest()


def test_of_a_huge_answer_the_beginning_is_shown_and_all_of_it_is_kept(stage: Stage) -> None:
    browser = Browser(stage.loupe)
    data = b"word " * (20 * 1024 * 1024 // 5)
    stage.case.will(response(body=data, headers={"content-type": "text/plain"}))
    stage.chat()
    log = stage.log()
    assert any("larger than 16 MiB: its beginning is shown" in line for line in log["warnings"])
    assert len(log["response"]["body"]) == 16 * 1024 * 1024
    page = browser.get(f"/w/default/logs/{log['id']}")
    assert page.status == 200
    assert len(page.body) < 3_000_000
    assert browser.get(f"/w/default/logs/{log['id']}/body/response").body == data
