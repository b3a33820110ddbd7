"""Checks 8 to 14 and 16 of the reference (reference/portkey.md, part E), each as it is written there."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.conftest import Stage
from tests.fake_upstream import FakeUpstream, response
from tests.loupe import Loupe
from tests.pictures import data_url, picture
from tests.sdk.questions import SAID, SIZE, assert_viewable
from tests.vendors import (
    ANTHROPIC,
    AZURE,
    BEDROCK,
    GOOGLE,
    MISTRAL,
    OPENAI,
    VENDORS,
    VERTEX,
    Seen,
    Vendor,
    corner,
    pictures_seen,
)

FETCHING = [GOOGLE, VERTEX, BEDROCK]
MAGIC = picture("JPEG")


@pytest.fixture
def at(vendor_loupe: Loupe, upstream: FakeUpstream) -> Callable[[Vendor], Stage]:
    return lambda vendor: corner(vendor_loupe, upstream, vendor)


@pytest.fixture
def client(vendor_loupe: Loupe) -> Iterator[OpenAI]:
    with OpenAI(api_key=vendor_loupe.key, base_url=vendor_loupe.base, max_retries=0) as made:
        yield made


def shown(fmt: str = "PNG") -> bytes:
    mark = uuid.uuid4()
    return picture(fmt, size=SIZE, colour=(mark.bytes[0], mark.bytes[1], mark.bytes[2]))


def seen(data: bytes, media_type: str = "image/png") -> Seen:
    return Seen(media_type, hashlib.sha256(data).hexdigest())


def looks(url: Any) -> list[Any]:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": url}]
    return [{"role": "user", "content": parts}]


def hosted(upstream: FakeUpstream, data: bytes, name: str, **headers: str) -> str:
    """A link of the fake's to these bytes."""
    upstream.on("pictures").will(response(body=data, headers={"content-type": "text/plain"} | headers))
    return f"http://127.0.0.1:{upstream.port}/pictures/{name}"


def ask(client: OpenAI, stage: Stage, vendor: Vendor, messages: list[Any], **headers: str) -> Any:
    traced = {"x-portkey-trace-id": stage.trace} | {name.replace("_", "-"): value for name, value in headers.items()}
    return client.chat.completions.create(model=vendor.named, messages=messages, extra_headers=traced)


def logged_picture(stage: Stage) -> dict[str, Any]:
    log = stage.log()
    assert (log["state"], log["answer_preview"]) == ("ok", SAID)
    [image] = log["images"]
    return image  # type: ignore[no-any-return]


@pytest.mark.parametrize("vendor", FETCHING, ids=str)
def test_check_8_a_link_with_a_query_and_no_ending_reaches_gemini_as_bytes_of_their_true_type(
    at: Callable[[Vendor], Stage], upstream: FakeUpstream, client: OpenAI, vendor: Vendor
) -> None:
    stage, data = at(vendor), shown("WEBP")
    url = hosted(upstream, data, "render?id=7&sig=a%2Bb.gif")
    ask(client, stage, vendor, looks(url))
    [request] = stage.case.requests
    assert pictures_seen(vendor.dialect, request.json) == [seen(data, "image/webp")]
    image = logged_picture(stage)
    assert (image["source"], image["source_url"]) == ("link", url)
    assert_viewable(stage.loupe, image, data, SIZE)


@pytest.mark.parametrize("vendor", FETCHING, ids=str)
def test_check_8_what_was_fetched_is_in_the_log_though_the_call_was_shown_while_it_was_fetched(
    at: Callable[[Vendor], Stage], upstream: FakeUpstream, client: OpenAI, vendor: Vendor
) -> None:
    stage, data, go = at(vendor), shown(), threading.Event()
    url = hosted(upstream, data, "slow.png")
    [answer] = upstream.on("pictures").scripts
    upstream.on("pictures").will(lambda connection, request: (go.wait(10), answer(connection, request))[1])
    call = threading.Thread(target=ask, args=(client, stage, vendor, looks(url)))
    call.start()
    try:
        assert stage.log(finished=False)["state"] == "in_flight"
    finally:
        go.set()
        call.join()
    assert_viewable(stage.loupe, logged_picture(stage), data, SIZE)


FORMS: dict[str, Callable[[bytes, FakeUpstream], str]] = {
    "charset": lambda data, _: f"data:image/png;charset=utf-8;base64,{base64.b64encode(data).decode()}",
    "name and capitals": lambda data, _: f"DATA:IMAGE/JPG;name=a.b;BASE64,{base64.b64encode(data).decode()}",
    "upper-case .JPG": lambda data, upstream: hosted(upstream, data, "PHOTO.JPG"),
    "a lying .png": lambda data, upstream: hosted(upstream, data, "photo.png"),
    "bare base64": lambda data, _: base64.b64encode(data).decode(),
    "bare base64 for addresses": lambda data, _: base64.urlsafe_b64encode(data).decode().rstrip("="),
}


@pytest.mark.parametrize("as_object", [False, True], ids=["string", "object"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("vendor", FETCHING, ids=str)
def test_check_9_every_spelling_of_a_picture_is_inline_data_of_the_right_type(
    at: Callable[[Vendor], Stage],
    upstream: FakeUpstream,
    client: OpenAI,
    vendor: Vendor,
    form: Callable[[bytes, FakeUpstream], str],
    as_object: bool,
) -> None:
    stage, data = at(vendor), shown("JPEG")
    url = form(data, upstream)
    ask(client, stage, vendor, looks({"url": url} if as_object else url))
    assert pictures_seen(vendor.dialect, stage.case.requests[0].json) == [seen(data, "image/jpeg")]
    assert_viewable(stage.loupe, logged_picture(stage), data, SIZE)


def test_check_10_anthropic_opens_a_link_itself_unless_told_to_get_the_bytes(
    at: Callable[[Vendor], Stage], upstream: FakeUpstream, client: OpenAI
) -> None:
    stage, url = at(ANTHROPIC), "https://pictures.example/a.gif?x=%20"
    ask(client, stage, ANTHROPIC, looks(url))
    assert pictures_seen("anthropic", stage.case.requests[0].json) == [Seen(link=url)]
    assert logged_picture(stage)["source_url"] == url
    stage, data = at(ANTHROPIC), shown("GIF")
    ask(client, stage, ANTHROPIC, looks(hosted(upstream, data, "a")), x_portkey_inline_images="always")
    assert pictures_seen("anthropic", stage.case.requests[0].json) == [seen(data, "image/gif")]
    assert_viewable(stage.loupe, logged_picture(stage), data, SIZE)


@pytest.mark.parametrize("inline", [False, True], ids=["link", "base64"])
@pytest.mark.parametrize("fmt", ["GIF", "PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("vendor", [ANTHROPIC, BEDROCK], ids=str)
def test_check_10_a_picture_of_any_usual_format_stays_a_picture(
    at: Callable[[Vendor], Stage], upstream: FakeUpstream, client: OpenAI, vendor: Vendor, fmt: str, inline: bool
) -> None:
    stage, data, media_type = at(vendor), shown(fmt), f"image/{fmt.lower()}"
    url = data_url(data, media_type) if inline else hosted(upstream, data, f"a.{fmt.lower()}")
    ask(client, stage, vendor, looks(url))
    fetched = inline or vendor is BEDROCK
    got = pictures_seen(vendor.dialect, stage.case.requests[0].json)
    assert got == [seen(data, media_type) if fetched else Seen(link=url)]
    image = logged_picture(stage)
    if fetched:
        assert_viewable(stage.loupe, image, data, SIZE)


@pytest.mark.parametrize("vendor", [OPENAI, *VENDORS], ids=str)
def test_check_11_a_picture_in_a_system_message_is_sent_or_refused_by_name(
    at: Callable[[Vendor], Stage], client: OpenAI, vendor: Vendor
) -> None:
    stage, data = at(vendor), shown()
    [message] = looks({"url": data_url(data)})
    messages = [message | {"role": "system"}, {"role": "user", "content": "Well?"}]
    if vendor in (OPENAI, AZURE, MISTRAL):
        ask(client, stage, vendor, messages)
        assert stage.case.requests[0].json["messages"][0] == messages[0]
        assert_viewable(stage.loupe, logged_picture(stage), data, SIZE)
        return
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, stage, vendor, messages)
    assert (caught.value.code, caught.value.param) == ("unsupported_part", "messages[0].content[1]")
    assert "messages[0].content[1]" in caught.value.message
    assert not stage.case.requests
    log = stage.log()
    assert (log["state"], log["response_status_code"], log["failure"]) == ("refused", 400, "unsupported_part")
    assert "messages[0].content[1]" in log["failure_message"]


@pytest.mark.parametrize("model", ["", "gemini-3-flash-preview", "us.mistral.pixtral-large-2502-v1:0"])
@pytest.mark.parametrize("vendor", [OPENAI, *VENDORS], ids=str)
def test_check_11_a_picture_in_a_tools_result_reaches_the_vendor(
    at: Callable[[Vendor], Stage], client: OpenAI, vendor: Vendor, model: str
) -> None:
    if model and vendor.dialect != {"g": "gemini", "u": "converse"}[model[0]]:
        model = ""  # the models that take such pictures in a way of their own
    stage, data = at(vendor), shown()
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    [message] = looks({"url": data_url(data)})
    messages = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        message | {"role": "tool", "tool_call_id": "call_1"},
    ]
    ask(client, stage, replace(vendor, model=model or vendor.model), messages)
    assert pictures_seen(vendor.dialect, stage.case.requests[0].json) == [seen(data)]
    assert b"What is it?" in stage.case.requests[0].body
    assert_viewable(stage.loupe, logged_picture(stage), data, SIZE)


def assert_refused(client: OpenAI, stage: Stage, vendor: Vendor, url: str) -> str:
    """The call is answered 400, nothing is sent on, and both the answer and the log say why; answers the reason."""
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, stage, vendor, looks(url))
    error = caught.value
    assert error.param == "messages[0].content[1]"
    assert error.message.count("messages[0].content[1]") == 1
    assert not stage.case.requests
    log = stage.log()
    assert (log["state"], log["response_status_code"], log["failure"]) == ("refused", 400, error.code)
    assert log["failure_message"] in error.message
    assert [image["source_url"] for image in log["images"]] == [url]
    return error.message


@pytest.fixture
def private() -> Iterator[socket.socket]:
    """A server of the inner network, on a port that nobody opened; afterwards nobody may have knocked."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server
        with pytest.raises(BlockingIOError):
            server.accept()


PRIVATE = [
    "http://169.254.169.254/latest/meta-data/iam",
    "http://localhost:PORT/a.png",
    "http://127.0.0.1:PORT/a.png",
    "http://2130706433:PORT/a.png",
    "http://0x7f.1:PORT/a.png",
    "http://[::ffff:127.0.0.1]:PORT/a.png",
    "http://10.0.0.1/a.png",
]


@pytest.mark.parametrize("way", ["straight", "by a redirect"])
@pytest.mark.parametrize("url", PRIVATE)
def test_check_12_nothing_is_fetched_from_a_private_address(
    at: Callable[[Vendor], Stage], upstream: FakeUpstream, client: OpenAI, private: socket.socket, url: str, way: str
) -> None:
    target = url.replace("PORT", str(private.getsockname()[1]))
    if way == "by a redirect":
        upstream.on("redirect").will(response(302, b"", {"location": target}))
        url = f"http://127.0.0.1:{upstream.port}/redirect/a.png"
    else:
        url = target
    message = assert_refused(client, at(GOOGLE), GOOGLE, url)
    assert "the host was not reached" in message
    assert target not in message


TEXT = b"Dear reader, this is no picture but a letter. " * 20
NO_PICTURES = {
    "a text file": (TEXT, "notes.txt", "text/plain"),
    "a text file that is called .png": (TEXT, "notes.png", "image/png"),
    "a page": (b"<!doctype html><html><body>Sign in</body></html>", "photo.jpg", "text/html"),
    "a JSON error": (b'{"error": "expired"}', "photo?sig=1", "application/json"),
}


@pytest.mark.parametrize("found", NO_PICTURES.values(), ids=NO_PICTURES)
@pytest.mark.parametrize("vendor", FETCHING, ids=str)
def test_check_12_a_link_to_something_else_than_a_picture_is_refused(
    at: Callable[[Vendor], Stage], upstream: FakeUpstream, client: OpenAI, vendor: Vendor, found: tuple[bytes, str, str]
) -> None:
    data, name, content_type = found
    url = hosted(upstream, data, name, **{"content-type": content_type})
    message = assert_refused(client, at(vendor), vendor, url)
    assert "image" in message or "picture" in message


@pytest.mark.parametrize("vendor", FETCHING, ids=str)
def test_check_12_a_picture_of_30_mb_is_refused(
    at: Callable[[Vendor], Stage], upstream: FakeUpstream, client: OpenAI, vendor: Vendor
) -> None:
    url = hosted(upstream, MAGIC + bytes(30_000_000), "a.jpg")
    assert "larger than 20 MiB" in assert_refused(client, at(vendor), vendor, url)


def test_check_12_a_link_to_a_missing_picture_is_refused_with_the_hosts_status(
    at: Callable[[Vendor], Stage], upstream: FakeUpstream, client: OpenAI
) -> None:
    upstream.on("pictures").will(response(404, b"gone"))
    url = f"http://127.0.0.1:{upstream.port}/pictures/a.png"
    assert "answered 404" in assert_refused(client, at(GOOGLE), GOOGLE, url)


def test_check_12_a_private_host_is_open_only_to_a_loupe_that_lists_it(
    at: Callable[[Vendor], Stage], upstream: FakeUpstream, client: OpenAI, own_loupe: Callable[..., Loupe]
) -> None:
    data = shown()
    url = hosted(upstream, data, "a.png")
    stage = at(GOOGLE)
    ask(client, stage, GOOGLE, looks(url))  # LOUPE_FETCH_HOSTS names the fake's host and port
    assert pictures_seen("gemini", stage.case.requests[0].json) == [seen(data)]
    closed = own_loupe()
    closed.add_virtual_key(GOOGLE.slug, f"http://127.0.0.1:{upstream.port}/{GOOGLE.slug}/v1beta", "s", "google")
    stage = corner(closed, upstream, GOOGLE)
    upstream.on("pictures").requests.clear()
    with OpenAI(api_key=closed.key, base_url=closed.base, max_retries=0) as shut:
        assert_refused(shut, stage, GOOGLE, url)
    assert not upstream.on("pictures").requests
