"""Every spelling of a picture or file in a request, read once into a neutral part.

Known are OpenAI's (`image_url` as string or object, `input_image`, `file`, `input_file`, `input_audio`, `video_url`),
Anthropic's (`image` and `document` with a `source`) and Gemini's (`inlineData`, `fileData`), with data URLs of any
parameters, bare base64, links, gs://, s3:// and the providers' own file ids.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_to_bytes

from gateway.content.json_text import obj, words
from gateway.content.sniff import sniff
from gateway.translation.neutral import Media, MediaKind, refuse

HEAD_CHARACTERS = 8 * 1024
DATA_URL = re.compile(r"data:([^,]{0,500}),", re.IGNORECASE)
LINK = re.compile(r"(?:https?|gs|s3)://", re.IGNORECASE)
BARE_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\s]{16,}(?:={1,2}\s*)?")
SPACES = re.compile(r"\s+")
# The members that are read below, of a part and of the object in it that holds the file.
MEMBERS = frozenset(
    [
        "type", "text", "image_url", "image", "detail", "mime_type", "mimeType", "media_type", "file_id", "data", "input_audio",
        "video_url", "file", "filename", "file_name", "file_data", "file_url", "source", "title", "inlineData", "inline_data",
        "fileData", "thoughtSignature", "extra_content", "cache_control", "thought",
    ]
)  # fmt: skip
INNER_MEMBERS = frozenset(
    [
        "type", "url", "detail", "mime_type", "mimeType", "media_type", "format", "data", "file_id", "filename", "file_name",
        "file_data", "file_url", "fileUri", "file_uri", "displayName", "display_name",
    ]
)  # fmt: skip
HOLDERS = (
    "image_url",
    "video_url",
    "file",
    "source",
    "inlineData",
    "inline_data",
    "fileData",
    "file_data",
    "input_audio",
)
RENAMED = {"video_metadata": "videoMetadata", "media_resolution": "mediaResolution"}
FILM = {
    "fps": "fps", "start_offset": "startOffset", "startOffset": "startOffset", "end_offset": "endOffset",
    "endOffset": "endOffset",
}  # fmt: skip
EMPTY: tuple[Any, ...] = (None, "", [], {})
TYPES_BY_ENDING = {
    "jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp",
    "heic": "image/heic", "heif": "image/heif", "pdf": "application/pdf", "mp3": "audio/mpeg", "wav": "audio/wav",
    "mp4": "video/mp4", "mov": "video/quicktime", "webm": "video/webm", "txt": "text/plain",
}  # fmt: skip


def read_media(part: dict[str, Any], position: str) -> Media | None:
    """The picture or file of one content part; None when it is no such part.

    Raises:
        BadRequest: it is one, and cannot be read; names the position.
    """
    found = _openai(part, position) or _anthropic(part, position) or _gemini(part, position)
    if found is None:
        return None
    signature = signature_of(part)
    return replace(found, cache_control=part.get("cache_control"), signature=signature, beside=_beside(part))


def signature_of(part: dict[str, Any]) -> str:
    """What Gemini wants back with a text or a picture of its own: in its own member, or in the one that Loupe hands out."""
    google = obj(obj(part.get("extra_content")).get("google"))
    return words(part.get("thoughtSignature")) or words(google.get("thought_signature"))


def members_beside(part: dict[str, Any], known: Collection[str]) -> dict[str, Any]:
    """What stands in a part beside the members that are known, and is not empty."""
    return {RENAMED.get(name, name): value for name, value in part.items() if name not in known and value not in EMPTY}


def _beside(part: dict[str, Any]) -> dict[str, Any]:
    """Of the part, and of the object in it that holds the file; what is said of a film is gathered in one member."""
    found = members_beside(part, MEMBERS)
    for holder in HOLDERS:
        inner = members_beside(obj(part.get(holder)), INNER_MEMBERS)
        film = {FILM[name]: inner.pop(name) for name in list(inner) if name in FILM}
        if film:
            found["videoMetadata"] = {**film, **obj(found.get("videoMetadata"))}
        found |= inner
    return found


def from_text(text: str, position: str, *, kind: MediaKind = "image", declared: str = "", detail: str = "") -> Media:
    """A data URL, a link or bare base64."""
    link = LINK.match(text)
    if link:
        url = link[0].lower() + text[link.end() :]
        return Media(kind, position, _plain_type(declared), url=url, detail=detail)
    match = DATA_URL.match(text)
    if match:
        return _from_data_url(text, match, position, kind, declared, detail)
    if not text or not BARE_BASE64.fullmatch(text[:4096]):
        raise refuse(
            position,
            f"{_short(text)} is neither a data URL, an http(s), gs:// or s3:// link, nor base64",
            "Send data:image/png;base64,… or a link",
            code="invalid_image_url",
        )
    return from_base64(text, position, kind=kind, declared=declared, detail=detail)


def from_base64(text: str, position: str, *, kind: MediaKind = "image", declared: str = "", detail: str = "") -> Media:
    """Base64 in any alphabet, padded or not, with or without line breaks; a data URL, where base64 alone was asked for, too."""
    if DATA_URL.match(text):
        return from_text(text, position, kind=kind, declared=declared, detail=detail)
    text, declared = _standard(text), _plain_type(declared)
    if not text:
        raise refuse(position, "the part holds no data", "Encode the file's bytes again", code="empty_image")
    media_type = sniffed_type(text, position) or declared
    if not media_type:
        raise refuse(
            position,
            "the bytes are of no known image or file type, and no type is declared",
            "Send a PNG, JPEG, WebP or GIF, or declare the type in a data URL",
            code="unknown_media_type",
        )
    return Media(_kind(media_type, kind), position, media_type, base64=text, detail=detail, declared=declared)


def from_bytes(data: bytes, media: Media) -> Media:
    """The same part with the bytes that its link led to.

    Raises:
        BadRequest: they are no picture, and one was meant: a letter, or a page that asks to sign in.
    """
    if media.kind == "image" and sniff(data) is None and media.media_type.partition("/")[0] in ("", "image"):
        raise refuse(
            media.position,
            "what the link leads to is of no known image type",
            "Open it in a browser that is signed in nowhere: it must show the picture alone",
            code="unknown_media_type",
        )
    text = base64.b64encode(data).decode()
    return replace(
        from_base64(text, media.position, kind=media.kind, declared=media.media_type or type_by_ending(media.url)),
        detail=media.detail,
        name=media.name,
        cache_control=media.cache_control,
    )


def type_by_ending(url: str) -> str:
    """What the path's ending claims; empty when it claims nothing."""
    path = url.partition("#")[0].partition("?")[0]
    return TYPES_BY_ENDING.get(path.rpartition(".")[2].lower(), "")


def sniffed_type(text: str, position: str) -> str:
    try:
        found = sniff(_decoded(text[:HEAD_CHARACTERS]))
    except ValueError:  # of which binascii.Error is one
        raise refuse(position, "this is not base64", "Encode the file's bytes again", code="invalid_base64") from None
    return found.media_type if found else ""


def _openai(part: dict[str, Any], position: str) -> Media | None:
    image = part.get("image_url")
    if image is None and part.get("type") == "image":
        image = part.get("image")
    declared = words(part.get("mime_type")) or words(part.get("mimeType")) or words(part.get("media_type"))
    if isinstance(image, str):
        return from_text(image, position, declared=declared, detail=words(part.get("detail")))
    if isinstance(image, dict):
        declared = words(image.get("mime_type")) or words(image.get("format")) or declared
        return from_text(words(image.get("url")), position, declared=declared, detail=words(image.get("detail")))
    if part.get("type") == "input_image" and words(part.get("file_id")):
        return Media("image", position, file_id=words(part["file_id"]), detail=words(part.get("detail")))
    if part.get("type") == "image" and isinstance(part.get("data"), str):
        return from_base64(part["data"], position, declared=declared)
    if part.get("type") == "input_audio" or part.get("input_audio") is not None:
        audio = obj(part.get("input_audio"))
        kind = {"mp3": "audio/mpeg", "wav": "audio/wav"}.get(words(audio.get("format")), "")
        return from_base64(words(audio.get("data")), position, kind="audio", declared=kind)
    video = part.get("video_url")
    if video is not None:
        url, detail = words(video) or words(obj(video).get("url")), words(obj(video).get("detail"))
        return from_text(url, position, kind="video", declared=declared, detail=detail)
    return _openai_file(part, position)


def _openai_file(part: dict[str, Any], position: str) -> Media | None:
    file = part if part.get("type") == "input_file" else part.get("file")
    if not isinstance(file, dict):
        return None
    name = words(file.get("filename")) or words(file.get("file_name"))
    declared = words(file.get("mime_type")) or type_by_ending(name)
    if words(file.get("file_id")):
        return Media("document", position, declared, file_id=words(file["file_id"]), name=name)
    text = words(file.get("file_data")) or words(file.get("file_url"))
    return replace(from_text(text, position, kind="document", declared=declared), name=name)


def _anthropic(part: dict[str, Any], position: str) -> Media | None:
    source = part.get("source")
    if not isinstance(source, dict) or part.get("type") not in ("image", "document"):
        return None
    kind: MediaKind = "image" if part["type"] == "image" else "document"
    declared, name = words(source.get("media_type")), words(part.get("title"))
    if source.get("type") == "url" or isinstance(source.get("url"), str):
        return replace(from_text(words(source.get("url")), position, kind=kind, declared=declared), name=name)
    if words(source.get("file_id")):
        return Media(kind, position, declared, file_id=words(source["file_id"]), name=name)
    if source.get("type") == "text":
        data = base64.b64encode(words(source.get("data")).encode()).decode()
        return Media("document", position, "text/plain", base64=data, name=name)
    return replace(from_base64(words(source.get("data")), position, kind=kind, declared=declared), name=name)


def _gemini(part: dict[str, Any], position: str) -> Media | None:
    inline = part.get("inlineData") or part.get("inline_data")
    if isinstance(inline, dict):
        declared = words(inline.get("mimeType")) or words(inline.get("mime_type"))
        return from_base64(words(inline.get("data")), position, kind=_kind(declared, "image"), declared=declared)
    file = part.get("fileData") or part.get("file_data")
    if isinstance(file, dict):
        declared = words(file.get("mimeType")) or words(file.get("mime_type"))
        uri = words(file.get("fileUri")) or words(file.get("file_uri"))
        if not uri:
            raise refuse(position, "the part holds no fileUri", "Send the file's URI", code="empty_image")
        kind = _kind(declared or type_by_ending(uri), "image")
        return Media(kind, position, declared, url=uri)
    return None


def _from_data_url(
    text: str, match: re.Match[str], position: str, kind: MediaKind, declared: str, detail: str
) -> Media:
    parameters = match[1].split(";")
    declared = _plain_type(parameters[0]) or declared
    data = text[match.end() :]
    if not any(parameter.strip().lower() == "base64" for parameter in parameters[1:]):
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    return from_base64(data, position, kind=kind, declared=declared, detail=detail)


def _standard(text: str) -> str:
    """Only what looks wrong is mended: a search is quicker than a pattern over megabytes."""
    if "\n" in text or " " in text or "\r" in text or "\t" in text:
        text = SPACES.sub("", text)
    if "%" in text:
        text = unquote_to_bytes(text).decode("latin-1")
    if "-" in text or "_" in text:
        text = text.replace("-", "+").replace("_", "/")
    return text + "=" * (-len(text) % 4)


def _decoded(text: str) -> bytes:
    return binascii.a2b_base64(text[: len(text) - len(text) % 4], strict_mode=True)


def _plain_type(declared: str) -> str:
    plain = declared.partition(";")[0].strip().lower()
    return "image/jpeg" if plain == "image/jpg" else plain if "/" in plain else ""


def _kind(media_type: str, otherwise: MediaKind) -> MediaKind:
    family = media_type.partition("/")[0]
    if family in ("image", "audio", "video"):
        return family  # type: ignore[return-value]
    return "document" if media_type else otherwise


def _short(text: str) -> str:
    return repr(text[:60] + ("…" if len(text) > 60 else ""))
