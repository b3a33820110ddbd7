"""Google's generateContent, as AI Studio and Vertex AI speak it: a neutral request written for it.

Source: ai.google.dev API reference, models.generateContent, and the types of Google's own SDK.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gateway.content.json_text import obj, parsed_words
from gateway.errors import BadRequest
from gateway.translation.gemini_answer import is_made
from gateway.translation.media import type_by_ending
from gateway.translation.neutral import (
    Media,
    Part,
    Request,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolResult,
    Written,
    refuse,
)
from gateway.translation.rules.models import GEMINI_BUDGETS, gemini, nearest
from gateway.translation.rules.schemas import for_gemini
from gateway.translation.turns import (
    is_blank,
    merged,
    parsed_arguments,
    put,
    split_system,
    take_settings,
    warn_of_caching,
    warn_of_members,
    warn_of_parallel_tools,
)

IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/heic", "image/heif")
CONFIG = "generationConfig"
SETTINGS = {
    "max_tokens": f"{CONFIG}.maxOutputTokens",
    "temperature": f"{CONFIG}.temperature",
    "top_p": f"{CONFIG}.topP",
    "top_k": f"{CONFIG}.topK",
    "stop": f"{CONFIG}.stopSequences",
    "seed": f"{CONFIG}.seed",
    "n": f"{CONFIG}.candidateCount",
    "presence_penalty": f"{CONFIG}.presencePenalty",
    "frequency_penalty": f"{CONFIG}.frequencyPenalty",
    "logprobs": f"{CONFIG}.responseLogprobs",
    "top_logprobs": f"{CONFIG}.logprobs",
    "image_config": f"{CONFIG}.imageConfig",
    "imageConfig": f"{CONFIG}.imageConfig",
    "media_resolution": f"{CONFIG}.mediaResolution",
    "mediaResolution": f"{CONFIG}.mediaResolution",
    "thinking_config": f"{CONFIG}.thinkingConfig",
    "thinkingConfig": f"{CONFIG}.thinkingConfig",
    "speech_config": f"{CONFIG}.speechConfig",
    "speechConfig": f"{CONFIG}.speechConfig",
    "safety_settings": "safetySettings",
    "cached_content": "cachedContent",
    "generation_config": CONFIG,
}
NO_PLACE = frozenset(
    [
        "quality",
        "background",
        "style",
        "moderation",
        "output_format",
        "output_compression",
        "input_fidelity",
        "logit_bias",
        "user",
        "metadata",
        "store",
        "prediction",
        "service_tier",
        "verbosity",
        "parallel_tool_calls",
    ]
)
# OpenAI's `detail` in Gemini's words.
RESOLUTIONS = {"low": "LOW", "medium": "MEDIUM", "high": "HIGH", "original": "ULTRA_HIGH"}
RANKS = ("low", "medium", "high", "original")
# Google's documented stand-in for a signature that nobody has any more (ai.google.dev, thought signatures, FAQ).
STAND_IN = "skip_thought_signature_validator"
FILM, RESOLUTION = "videoMetadata", "mediaResolution"
# Of these Google knows the type itself.
OWN_LINK = re.compile(r"https://(?:generativelanguage\.googleapis\.com|(?:www\.)?youtube\.com|youtu\.be)/")
VERSION = re.compile(r"gemini-(\d+)")


def write(request: Request) -> Written:
    """The generateContent body. The model is in the path.

    Raises:
        BadRequest: a part, tool or setting that this API cannot take; names it.
    """
    system, messages = split_system(request)
    newest = _version(request.model) >= 3
    turns = [
        (role, [block for part in parts if not is_blank(part) for block in _blocks(part, newest=newest)])
        for role, parts in merged(messages)
    ]
    body: dict[str, Any] = {
        "contents": [{"role": "model" if role == "assistant" else "user", "parts": parts} for role, parts in turns]
    }
    written = Written(body)
    if newest:
        _stand_in(body["contents"], written, draws="image" in request.model)
    if system:
        body["systemInstruction"] = {"parts": [{"text": part.text} for part in system]}
    if request.tools:
        body["tools"] = [{"functionDeclarations": [_tool(tool) for tool in request.tools]}]
    if request.tool_choice:
        body["toolConfig"] = {"functionCallingConfig": _tool_choice(request)}
    if request.format:
        put(body, f"{CONFIG}.responseMimeType", "application/json")
        if request.format.schema is not None:
            adapted = for_gemini(request.format.schema)
            written.warnings += adapted.warning("response_format", "Gemini")
            put(body, f"{CONFIG}.responseJsonSchema", adapted.schema)
    mapped = frozenset({"modalities", "reasoning_effort"})
    take_settings(written, request, provider="Gemini", names=SETTINGS, no_place=NO_PLACE, features=mapped)
    _tidy(written, request, newest=newest)
    warn_of_parallel_tools(written, request, "Gemini")
    warn_of_caching(written, request, "Gemini")
    warn_of_members(written, request, "Gemini", (FILM, RESOLUTION))
    if any(tool.strict for tool in request.tools):
        written.warnings.append("tools: Gemini cannot be held to a strict schema of arguments; strict was not sent")
    return written


def _version(model: str) -> int:
    match = VERSION.search(model)
    return int(match[1]) if match else 3


def _tidy(written: Written, request: Request, *, newest: bool) -> None:
    """The settings that have no one-to-one name."""
    body, settings = written.body, request.settings
    modalities = settings.get("modalities")
    if isinstance(modalities, list) and modalities != ["text"]:
        put(body, f"{CONFIG}.responseModalities", [str(one).upper() for one in modalities])
    effort = settings.get("reasoning_effort")
    if isinstance(effort, str):
        thinking = _thinking(request.model, effort, written)
        if thinking:
            put(body, f"{CONFIG}.thinkingConfig", thinking)
    _check_count(request)
    image = obj(body.get(CONFIG)).get("imageConfig")
    if isinstance(image, dict):
        body[CONFIG]["imageConfig"] = {_camel(name): value for name, value in image.items()}
    details = {media.detail for media in request.media() if media.kind == "image" and media.detail in RANKS}
    if details and not newest:
        best = max(details, key=RANKS.index)
        put(
            body, f"{CONFIG}.mediaResolution", f"MEDIA_RESOLUTION_{RESOLUTIONS['high' if best == 'original' else best]}"
        )
        if len(details) > 1:
            written.warnings.append(f"detail: this model takes one resolution for all pictures; {best} was sent")
    _warn_of_detail(written, request)


def _thinking(model: str, effort: str, written: Written) -> dict[str, Any]:
    """The level or the budget that comes nearest to an effort, as this model takes it."""
    rules, asked = gemini(model), f"reasoning_effort: {effort}"
    if rules.is_newer:
        written.warnings.append(
            f"model: {model} is newer than what Loupe knows; the levels of its forerunners were used"
        )
    if rules.levels:
        level = nearest(effort, rules.levels)
        if level != effort:
            written.warnings.append(f"{asked}: this model knows {', '.join(rules.levels)}; {level} was sent")
        return {"thinkingLevel": level.upper()}
    if rules.budget is None:
        if effort != "none":
            written.warnings.append(f"{asked}: this model does not think; it was not sent")
        return {}
    if effort == "none" and rules.can_be_off:
        return {"thinkingBudget": 0}
    least, most = rules.budget
    if effort == "none":
        written.warnings.append(
            f"{asked}: this model cannot be kept from thinking; its least, {least} tokens, was sent"
        )
    return {"thinkingBudget": min(most, max(least, GEMINI_BUDGETS.get(effort, 0)))}


def _check_count(request: Request) -> None:
    count = request.settings.get("n")
    if isinstance(count, int) and count > 1 and not gemini(request.model).candidates:
        raise BadRequest(
            f"n: {request.model} gives one answer a request; ask again for another.", code="unsupported_n", param="n"
        )


def _stand_in(contents: list[dict[str, Any]], written: Written, *, draws: bool) -> None:
    """Gemini 3 refuses a call of its own without its signature; of parallel calls the first has one. Its image models refuse
    a picture of their own, and the first part of a turn, without theirs.
    """
    bare = 0
    for turn in contents:
        if turn["role"] != "model":
            continue
        spoken = [part for part in turn["parts"] if not part.get("thought")]
        wanted = [part for part in spoken if "functionCall" in part][:1]
        if draws:
            wanted += [part for at, part in enumerate(spoken) if at == 0 or "inlineData" in part]
        for part in wanted:
            if "thoughtSignature" not in part:
                part["thoughtSignature"] = STAND_IN
                bare += 1
    if bare:
        written.warnings.append(
            f"signatures: {bare} of the model's own parts came back without theirs; Google's stand-in was sent. "
            "Send back extra_content as it was given"
        )


def _warn_of_detail(written: Written, request: Request) -> None:
    """Of a film's, and of a picture's in a tool's result, which has no place for it."""
    results = [part for message in request.messages for part in message.parts if isinstance(part, ToolResult)]
    inner = [one for result in results for one in result.parts if isinstance(one, Media)]
    films = [media for media in request.media() if media.kind != "image"]
    for media in (*inner, *films):
        if media.detail not in ("", "auto"):
            written.warnings.append(f"{media.position}.detail: Gemini has no place for it; it was not sent")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def _blocks(part: Part, *, newest: bool) -> Iterator[dict[str, Any]]:
    if isinstance(part, Text):
        if part.text or part.signature:
            yield {"text": part.text} | _signed(part)
    elif isinstance(part, Media):
        yield _media(part, newest=newest) | _signed(part)
    elif isinstance(part, ToolCall):
        call: dict[str, Any] = {"name": part.name, "args": parsed_arguments(part)}
        yield {"functionCall": call | _id_of(part, newest=newest)} | _signed(part)
    elif isinstance(part, ToolResult):
        yield from _result(part, newest=newest)
    elif part.text:
        yield {"text": part.text, "thought": True} | _signed(part)


def _id_of(part: ToolCall | ToolResult, *, newest: bool) -> dict[str, Any]:
    """Gemini 3 gives its calls ids, and wants them back; older ones know none."""
    return {"id": part.id} if newest and part.id and not is_made(part.id) else {}


def _signed(part: Text | Media | ToolCall | Thought) -> dict[str, Any]:
    return {"thoughtSignature": part.signature} if part.signature else {}


def _result(result: ToolResult, *, newest: bool) -> Iterator[dict[str, Any]]:
    """Gemini 3 takes pictures inside the response; older models beside it, in the same turn."""
    text = "".join(part.text for part in result.parts if isinstance(part, Text))
    media = [_media(part, newest=False) for part in result.parts if isinstance(part, Media)]
    response: dict[str, Any] = {"name": result.name or result.id, "response": _response(text)}
    response |= _id_of(result, newest=newest)
    if newest and media:
        response["parts"] = media
    yield {"functionResponse": response}
    if not newest:
        yield from media


def _response(text: str) -> dict[str, Any]:
    try:
        found = parsed_words(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"result": text}


def _media(media: Media, *, newest: bool) -> dict[str, Any]:
    if media.kind == "image" and media.media_type and media.media_type not in IMAGE_TYPES:
        raise refuse(
            media.position,
            f"the picture is {media.media_type}, and Gemini takes {', '.join(IMAGE_TYPES)}",
            "Convert it, a GIF's first frame to PNG for example",
            code="unsupported_image_format",
        )
    if media.base64:
        part: dict[str, Any] = {"inlineData": {"mimeType": media.media_type, "data": media.base64}}
    else:
        part = {"fileData": _file(media)}
    if newest and media.kind == "image" and media.detail in RESOLUTIONS:
        part[RESOLUTION] = {"level": f"MEDIA_RESOLUTION_{RESOLUTIONS[media.detail]}"}
    return part | {name: value for name, value in media.beside.items() if name in (FILM, RESOLUTION)}


def _file(media: Media) -> dict[str, Any]:
    if media.url.startswith("s3:"):
        raise refuse(media.position, "Gemini opens no s3:// links", "Send an https link or the bytes")
    uri = media.url or media.file_id
    media_type = media.media_type or type_by_ending(uri)
    if not media_type and not OWN_LINK.match(uri):
        raise refuse(
            media.position,
            "the link's path does not tell the type of the file, and Google wants it told",
            "Add mime_type beside the url",
            code="unknown_media_type",
        )
    return {"fileUri": uri} | ({"mimeType": media_type} if media_type else {})


def _tool(tool: Tool) -> dict[str, Any]:
    written: dict[str, Any] = {"name": tool.name}
    if tool.description:
        written["description"] = tool.description
    if tool.schema:
        written["parametersJsonSchema"] = tool.schema
    return written


def _tool_choice(request: Request) -> dict[str, Any]:
    if request.tool_choice.startswith("="):
        return {"mode": "ANY", "allowedFunctionNames": [request.tool_choice[1:]]}
    mode = {"auto": "AUTO", "none": "NONE", "required": "ANY"}.get(request.tool_choice)
    if mode is None:
        raise BadRequest(
            f"tool_choice {request.tool_choice!r} is not known.", code="unsupported_tool_choice", param="tool_choice"
        )
    return {"mode": mode}
