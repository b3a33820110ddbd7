"""Who may call, where a call goes, and what reaches the provider."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from gateway.keys.in_memory import POLL_SECONDS
from tests.conftest import Stage
from tests.fake_upstream import FakeUpstream, chat_events, response, stream
from tests.loupe import Loupe, until
from tests.pictures import data_url, picture


def error_of(body: bytes) -> dict[str, Any]:
    """The combined error shape, checked."""
    whole = json.loads(body)
    assert whole["status"] == "failure"
    assert set(whole["error"]) == {"message", "type", "param", "code"}
    assert whole["message"] == whole["error"]["message"]
    error: dict[str, Any] = whole["error"]
    return error


def test_a_body_that_needs_no_change_is_forwarded_byte_for_byte(stage: Stage) -> None:
    body = b'{ "model":"gpt-4o",\n "messages":[{"role":"user","content":"h\\u00e9 \xf0\x9f\x8e\xa8"}], "odd" : 1.50, "max_tokens":300 }'
    status, _, _ = stage.post("/v1/chat/completions", body, x_portkey_virtual_key=stage.slug)
    assert status == 200
    assert stage.case.requests[0].body == body
    assert stage.case.requests[0].path == "/v1/chat/completions"


def test_the_slug_leaves_the_model_and_nothing_else_changes(stage: Stage) -> None:
    body = f'{{"messages": [{{"role":"user","content":"say \\"model\\": \\"x\\""}}],  "model" : "@{stage.slug}/org/name-1", "n":1}}'
    stage.post("/v1/chat/completions", body.encode())
    assert stage.case.requests[0].body.decode() == body.replace(f"@{stage.slug}/", "")


def test_a_bare_image_link_becomes_an_object_only_where_the_dialect_needs_it(stage: Stage) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"default": {"image_url": "leave me"}}}}
    part = {"type": "image_url", "image_url": "https://example.com/a.png?x=1&y=2"}
    body = {
        "messages": [{"role": "user", "content": [part, {"type": "image_url", "image_url": {"url": "b"}}]}],
        "tools": [tool],
    }
    stage.chat(body)
    sent = stage.case.requests[0].json
    assert sent["messages"][0]["content"][0]["image_url"] == {"url": "https://example.com/a.png?x=1&y=2"}
    assert sent["messages"][0]["content"][1]["image_url"] == {"url": "b"}
    assert sent["tools"] == [tool]


def test_responses_keep_their_string_image_url(stage: Stage) -> None:
    body = json.dumps(
        {
            "model": f"@{stage.slug}/gpt-4o",
            "input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://example.com/a.png"}]}],
        }
    )
    stage.case.will(
        response(
            body={"id": "resp_1", "output": [], "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}}
        )
    )
    stage.post("/v1/responses", body.encode())
    assert stage.case.requests[0].body.decode() == body.replace(f"@{stage.slug}/", "")
    assert stage.log()["total_units"] == 5


def test_the_stored_secret_is_sent_and_no_key_of_ours_is(stage: Stage) -> None:
    stage.chat(authorization="Bearer OPENAI_API_KEY")
    request = stage.case.requests[0]
    assert request.header("authorization") == f"Bearer {stage.secret}"
    assert not [name for name, _ in request.headers if name.startswith("x-portkey")]
    assert stage.loupe.key not in str(request.headers)


@pytest.mark.parametrize(
    "form",
    [
        {"x-portkey-api-key": "KEY", "x-portkey-virtual-key": "SLUG"},
        {"x-portkey-api-key": "KEY", "x-portkey-provider": "@SLUG"},
        {"x-portkey-api-key": "KEY", "x-portkey-config": '{"virtual_key": "SLUG"}'},
        {"x-portkey-api-key": "KEY", "authorization": "Bearer KEY", "x-portkey-provider": "@SLUG"},
        {"x-portkey-api-key": "", "authorization": "Bearer KEY", "x-portkey-provider": "@SLUG"},
        {"x-portkey-api-key": "", "authorization": "KEY", "x-portkey-virtual-key": "SLUG"},
        {"x-portkey-api-key": "", "x-api-key": "KEY", "x-portkey-virtual-key": "SLUG"},
        {"x-portkey-api-key": "KEY", "x-portkey-virtual-key": "SLUG", "x-portkey-something-new": "1"},
    ],
)
def test_every_form_of_naming_key_and_provider_is_taken(stage: Stage, form: dict[str, str]) -> None:
    headers = {k: v.replace("KEY", stage.loupe.key).replace("SLUG", stage.slug) for k, v in form.items()}
    status, _, body = stage.loupe.call("/v1/chat/completions", {"model": "gpt-4o", "messages": []}, headers=headers)
    assert status == 200, body
    assert stage.case.requests[0].header("authorization") == f"Bearer {stage.secret}"


def test_the_callers_own_provider_key_passes_through_and_is_never_kept(
    own_loupe: Callable[..., Loupe], upstream: FakeUpstream
) -> None:
    base = upstream.url("own-key")
    loupe = own_loupe(LOUPE_CUSTOM_HOSTS=base)
    own = f"sk-{uuid.uuid4().hex}"
    for value in (f"Bearer {own}", own):
        headers = {
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": base,
            "authorization": value,
            "x-portkey-trace-id": "own",
        }
        status, _, body = loupe.call("/v1/chat/completions", {"model": "gpt-4o", "messages": []}, headers=headers)
        assert status == 200, body
    assert {r.header("authorization") for r in upstream.on("own-key").requests} == {f"Bearer {own}"}
    loupe.log("own")
    loupe.stop()
    kept = b"".join(path.read_bytes() for path in loupe.data.rglob("*") if path.is_file())
    assert own.encode() not in kept


def test_a_stored_secret_never_goes_to_another_host(stage: Stage, upstream: FakeUpstream) -> None:
    trap = upstream.on("trap")
    for headers in (
        {"x_portkey_custom_host": "http://127.0.0.1:9/v1"},
        {"x_portkey_custom_host": upstream.url("trap").replace("127.0.0.1", "localhost")},
    ):
        status, _, body = stage.chat(**headers)
        assert status == 403
        assert error_of(body)["code"] == "credential_origin_changed"
    for field in ("api_base", "base_url", "custom_host", "url"):
        stage.chat({field: upstream.url("trap")})
    assert not trap.requests


def test_a_custom_host_is_closed_unless_a_setting_opens_it(stage: Stage, upstream: FakeUpstream) -> None:
    headers = {
        "x-portkey-provider": "openai",
        "authorization": "Bearer sk-own",
        "x-portkey-custom-host": upstream.url("trap"),
    }
    status, _, body = stage.loupe.call("/v1/chat/completions", {"model": "m", "messages": []}, headers=headers)
    assert (status, error_of(body)["code"]) == (403, "custom_host_not_allowed")
    assert "LOUPE_CUSTOM_HOSTS" in error_of(body)["message"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b'{"model": ', {}, 400, "invalid_json"),
        (b'{"model": NaN}', {}, 400, "invalid_json"),
        (b'{"x":' * 100_000, {}, 400, "invalid_json"),
        (b"[]", {}, 400, "invalid_body"),
        (b'{"model": 5}', {}, 400, "invalid_body"),
        (b'{"messages": []}', {}, 400, "missing_model"),
        (b'{"model": "portkey-default"}', {}, 400, "missing_model"),
        (b'{"model": "@SLUG/a", "model": "@SLUG/b"}', {}, 400, "ambiguous_body"),
        (b'{"model": "gpt-4o"}', {}, 400, "missing_provider"),
        (b'{"model": "@nobody/gpt-4o"}', {}, 404, "unknown_virtual_key"),
        (b'{"model": "m"}', {"x-portkey-provider": "acme"}, 400, "unknown_provider"),
        (b'{"model": "m"}', {"x-portkey-provider": "openai"}, 401, "missing_provider_key"),
        (b"{}", {"content-type": "text/plain"}, 415, "unsupported_content_type"),
        (b'{"model": "@SLUG/a"}', {"x-portkey-metadata": "[1"}, 400, "invalid_metadata"),
        (b'{"model": "@SLUG/a"}', {"x-portkey-request-timeout": "soon"}, 400, "invalid_timeout"),
        (b'{"model": "@SLUG/a"}', {"x-portkey-config": "pc-saved"}, 400, "config_not_found"),
        (b'{"model": "@SLUG/a"}', {"x-portkey-config": '{"strategy":{}}'}, 400, "unsupported_config"),
        (b'{"model": "@SLUG/a"}', {"x-portkey-api-key": "lp_wrong"}, 401, "invalid_api_key"),
        (b'{"model": "@SLUG/a"}', {"x-portkey-api-key": ""}, 401, "missing_api_key"),
        (b'{"model": "@SLUG/a"}', {"host": "evil.example"}, 400, "bad_host"),
        (b'{"model": "@SLUG/a"}', {"x-big": "x" * 70_000}, 431, "headers_too_large"),
    ],
)
def test_bad_input_gets_its_own_status_and_a_message_with_the_cure(
    stage: Stage, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    got, sent, answer = stage.loupe.call(
        "/v1/chat/completions", body.replace(b"SLUG", stage.slug.encode()), headers=headers
    )
    assert (got, error_of(answer)["code"]) == (status, code)
    assert len(error_of(answer)["message"]) > 20
    assert sent["x-portkey-trace-id"]
    assert sent["x-should-retry"] == "false"
    assert not stage.case.requests


def test_a_refused_request_is_in_the_log_with_its_reason(stage: Stage) -> None:
    stage.chat({"model": "@nobody/gpt-4o"})
    log = stage.log()
    assert (log["state"], log["response_status_code"], log["failure"]) == ("refused", 404, "unknown_virtual_key")
    assert log["request"]["body"]["messages"][0]["content"] == "hello"


def test_duplicate_slashes_are_collapsed_and_unknown_paths_pass_through(stage: Stage) -> None:
    status, _, _ = stage.post(
        "//v1//some/new/endpoint?limit=5&secret=abc", b'{"x": 1}', x_portkey_virtual_key=stage.slug
    )
    assert status == 200
    assert stage.case.requests[0].path == "/v1/some/new/endpoint?limit=5&secret=abc"
    assert stage.log()["request_path"] == "/v1/some/new/endpoint?limit=5&secret=***"


def test_models_are_listed_by_loupe_or_by_the_provider_that_is_named(stage: Stage) -> None:
    _, _, body = stage.loupe.call("/v1/models?")
    ids = [model["id"] for model in json.loads(body)["data"]]
    assert "@sandbox/vision" in ids
    assert f"@{stage.slug}/gpt-4o" in ids
    stage.case.will(response(body={"object": "list", "data": [{"id": "theirs"}]}))
    _, _, body = stage.loupe.call("/v1/models", headers={"x-portkey-virtual-key": stage.slug})
    assert json.loads(body)["data"] == [{"id": "theirs"}]
    assert stage.case.requests[0].method == "GET"


def test_metadata_trace_and_span_reach_the_log(stage: Stage) -> None:
    _, headers, _ = stage.chat(
        {"user": "ada"},
        x_portkey_metadata='{"team": "shop", "n": 3}',
        x_portkey_span_id="s1",
        x_portkey_span_name="look",
        x_portkey_parent_span_id="s0",
    )
    assert headers["x-portkey-trace-id"] == stage.trace
    log = stage.log()
    assert log["metadata"] == {"team": "shop", "n": "3", "_user": "ada"}
    assert (log["span_id"], log["span_name"], log["parent_span_id"]) == ("s1", "look", "s0")


def test_w3c_traceparent_is_the_trace_when_no_other_is_named(stage: Stage) -> None:
    trace = uuid.uuid4().hex
    _, headers, _ = stage.loupe.call(
        "/v1/chat/completions",
        {"model": f"@{stage.slug}/m", "messages": []},
        headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"},
    )
    assert headers["x-portkey-trace-id"] == trace


def test_debug_false_keeps_figures_and_drops_bodies_and_pictures(stage: Stage) -> None:
    part = {"type": "image_url", "image_url": {"url": data_url(picture(colour=(9, 9, 9)))}}
    stage.chat(
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "very private"}, part]}]},
        x_portkey_debug="false",
    )
    log = stage.log()
    assert log["total_units"] == 1110
    assert log["cost"] > 0
    assert (log["request"], log["response"], log["images"], log["prompt_preview"]) == (None, None, [], "")
    assert b"very private" not in json.dumps(log).encode()


def test_only_listed_headers_and_those_asked_for_are_forwarded(stage: Stage) -> None:
    stage.chat(
        x_portkey_forward_headers="x-tenant, Cookie, X-Portkey-Api-Key, X-Loupe-Api-Key",
        x_loupe_api_key=stage.loupe.key,
        x_tenant="t1",
        x_other="no",
        cookie="session=1",
        openai_organization="org-1",
    )
    request = stage.case.requests[0]
    assert (request.header("x-tenant"), request.header("openai-organization")) == ("t1", "org-1")
    assert request.header("x-other") is request.header("cookie") is request.header("x-loupe-api-key") is None


def test_a_revoked_key_stops_working_with_the_next_look_at_the_keys(stage: Stage) -> None:
    name = f"short-{uuid.uuid4()}"
    key = stage.loupe.manage("apikey", "create", name)
    call: Callable[[], int] = lambda: stage.loupe.call("/v1/models", headers={"x-portkey-api-key": key})[0]
    until(lambda: call() == 200, "the new key works")
    stage.loupe.manage("apikey", "revoke", name)
    until(lambda: call() == 401, "the revoked key is refused")
    assert POLL_SECONDS <= 2


def test_a_key_and_a_virtual_key_work_the_moment_they_are_made(stage: Stage) -> None:
    slug = f"now-{uuid.uuid4().hex[:6]}"
    stage.loupe.manage("virtualkey", "add", slug, "--secret-stdin", "--base-url", stage.base_url, stdin="sk-now")
    key = stage.loupe.manage("apikey", "create", "now")
    assert stage.chat({"model": f"@{slug}/m"}, x_portkey_api_key=key)[0] == 200


def test_a_key_without_the_scope_is_refused(stage: Stage) -> None:
    key = stage.loupe.manage("apikey", "create", "reader", "--scope", "logs.read")
    until(
        lambda: stage.loupe.call("/v1/models", headers={"x-portkey-api-key": key})[0] == 403,
        "the key is known, and refused",
    )
    assert stage.loupe.call("/v1/logs", headers={"x-portkey-api-key": key})[0] == 200


def test_an_oversized_body_is_refused_and_the_client_hears_it(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe(LOUPE_MAX_BODY_MB="1")
    status, _, body = loupe.call(
        "/v1/chat/completions", b'{"model": "@sandbox/vision", "x": "' + b"y" * 8_000_000 + b'"}'
    )
    assert (status, error_of(body)["code"]) == (413, "body_too_large")
    assert "LOUPE_MAX_BODY_MB" in error_of(body)["message"]


def test_health_and_readiness_need_no_key(stage: Stage) -> None:
    assert stage.loupe.call("/healthz", headers={"x-portkey-api-key": ""})[0] == 200
    assert stage.loupe.call("/readyz", headers={"x-portkey-api-key": ""})[0] == 200


@pytest.mark.parametrize(
    "path", ["/v1/../../admin", "/v1/%2e%2e/admin", "/v1/x/%2E%2E%2fadmin", "/v1/..%5cadmin", "/v1/%252e%252e/admin"]
)
def test_no_path_leads_out_of_the_providers_base_url(stage: Stage, path: str) -> None:
    status, _, body = stage.post(path, b"{}", x_portkey_virtual_key=stage.slug)
    assert (status, error_of(body)["code"]) == (400, "bad_path")
    assert not stage.case.requests


def test_an_escaped_path_reaches_the_provider_as_it_was_written(stage: Stage) -> None:
    stage.post("/v1/files/a%2Fb%3Fc%23d%25?x=%20", b"{}", x_portkey_virtual_key=stage.slug)
    assert stage.case.requests[0].path == "/v1/files/a%2Fb%3Fc%23d%25?x=%20"


def test_the_base_url_itself_is_answered_in_json(stage: Stage) -> None:
    status, _, body = stage.loupe.call("/v1")
    assert (status, error_of(body)["code"]) == (404, "not_found")


def test_a_virtual_key_can_ask_for_the_token_counts_of_streams(
    own_loupe: Callable[..., Loupe], upstream: FakeUpstream
) -> None:
    loupe = own_loupe()
    loupe.add_virtual_key("counted", upstream.url("counted"), stream_usage="always")
    upstream.on("counted").will(stream(chat_events("A ", "dog.")))
    for trace, asks in (("silent", False), ("asking", True)):
        options = {"stream_options": {"include_usage": True}} if asks else {}
        body = {"model": "@counted/gpt-4o", "stream": True, "messages": [], **options}
        answer = loupe.call("/v1/chat/completions", body, headers={"x-portkey-trace-id": trace})[2].decode()
        assert upstream.on("counted").requests[-1].json["stream_options"] == {"include_usage": True}
        assert ('"choices":[]' in answer.replace(" ", "")) is asks
        assert "[DONE]" in answer
        assert loupe.log(trace)["req_units"] is not None


def test_pages_of_listed_origins_may_call_and_no_others(
    own_loupe: Callable[..., Loupe], upstream: FakeUpstream
) -> None:
    loupe = own_loupe(LOUPE_CORS_ORIGINS="https://app.example")
    body = {"model": "@sandbox/vision", "messages": [{"role": "user", "content": "q"}]}
    for origin, allowed in (("https://app.example", "https://app.example"), ("https://evil.example", None)):
        status, headers, _ = loupe.call("/v1/chat/completions", body, headers={"origin": origin})
        assert (status, headers.get("access-control-allow-origin")) == (200, allowed)
        asked = loupe.call(
            "/v1/chat/completions", method="OPTIONS", headers={"origin": origin, "x-portkey-api-key": ""}
        )
        assert (asked[0] == 204, asked[1].get("access-control-allow-origin")) == (allowed is not None, allowed)
    assert "access-control-allow-origin" not in loupe.call("/healthz", headers={"origin": "https://app.example"})[1]
