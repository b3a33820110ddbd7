"""What a vendor is: an address, a way to show a key, a wire format, and names. Data only; wire formats are in `translation`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Headers = list[tuple[str, str]]
Settings = Mapping[str, str]
WEB = frozenset({"http", "https"})
USUAL_IMAGES = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that a vendor wants to know beside the key. Its header is `x-portkey-` and `header`; empty is none."""

    name: str
    title: str
    header: str = ""
    help: str = ""
    required: bool = False
    secret: bool = False
    choices: tuple[str, ...] = ()
    address: bool = False


# What every virtual key and every request may say, whatever the vendor.
COMMON = (
    Setting(
        "inline_images",
        "Pictures behind links",
        "inline-images",
        "always: the gateway fetches them and sends the bytes, so that the log holds exactly what was sent",
        choices=("when needed", "always"),
    ),
    Setting(
        "lint",
        "Flawed pictures",
        "lint",
        "refuse: answer 400 instead of sending what the vendor is known to refuse",
        choices=("warn", "refuse"),
    ),
    Setting(
        "stream_usage",
        "Token counts of streams",
        "stream-usage",
        "always: ask for them (stream_options.include_usage), and take them out again for callers who did not",
        choices=("as asked", "always"),
    ),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the vendor says that it refuses (reference: each vendor's own pages); None is unknown.

    `crowd` is a number of pictures, and the longest side that is left to each when there are more.
    """

    images: int | None = None
    image_bytes: int | None = None
    body_bytes: int | None = None
    side: int | None = None
    pixels: int | None = None
    crowd: tuple[int, int] | None = None
    formats: frozenset[str] = USUAL_IMAGES


@dataclass(frozen=True, slots=True)
class Wire:
    """How chat is spoken with some models of a vendor.

    `dialect` is the format; `path` follows the base URL, with `{model}` where the model stands, and is empty where the
    caller's own endpoint is the path. `opens` are the kinds of links that the vendor opens itself (where it
    `asks_type`, only if the link's ending or the caller tells the type), `own_hosts` those whose links it always opens:
    what is behind any other link is fetched by the gateway and sent inline. `constants` are put into every body.
    `reasoning_as` is how its own reasoning goes back to it with the next turn.
    """

    dialect: str = "chat"
    path: str = ""
    stream_path: str = ""
    opens: frozenset[str] = WEB
    own_hosts: frozenset[str] = frozenset()
    asks_type: bool = False
    limits: Limits = Limits()
    constants: Mapping[str, str] = field(default_factory=dict)
    names_model: bool = True
    reasoning_as: Literal["", "reasoning_content", "thinking"] = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """What to ask a vendor to learn whether a credential works: a path to GET, or a body for a model's chat.

    `proves` are the statuses that only a caller with a good credential is told, beside success.
    """

    path: str = "/models"
    model: str = ""
    body: Mapping[str, object] | None = None
    proves: frozenset[int] = frozenset()


CHAT = Wire()
Auth = Literal["bearer", "x-api-key", "api-key", "x-goog-api-key", "aws", "google", "azure", "none"]


@dataclass(frozen=True, slots=True)
class Provider:
    """One vendor.

    `base_url` ends before the path that follows `/v1`; `{name}` in it is filled from the settings, and an empty one must
    come with the virtual key. `wires` are tried in order: the first whose prefix the model begins with. `speaks` are the
    OpenAI endpoints that it answers as they are; others are translated to its chat. `place` answers the path and query
    for an endpoint where the base URL and the endpoint do not do. `own_version` is for a vendor whose paths begin with the
    version that its SDK asks for: the one for callers who ask for none. `uploads` says that files go to
    `/upload` in front of its path, and on to an address that the answer names. `refused_headers` are those of Portkey's that ask for what
    Loupe does not do, with what to do instead. `prices` is the vendor's id in genai-prices.
    """

    name: str
    title: str
    base_url: str | Callable[[Settings], str] = ""
    auth: Auth = "bearer"
    wires: tuple[tuple[str, Wire], ...] = (("", CHAT),)
    speaks: frozenset[str] = frozenset({"/chat/completions", "/responses"})
    paths: Mapping[str, str] = field(default_factory=dict)
    place: Callable[[Settings, str, str], str] | None = None
    own_version: str = ""
    uploads: bool = False
    rename: Callable[[Settings, str], str] | None = None
    settings: tuple[Setting, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    probe: Probe = Probe()
    aliases: tuple[str, ...] = ()
    refused_headers: Mapping[str, str] = field(default_factory=dict)
    prices: str | None = None
    needs_secret: bool = True
    key_title: str = "API key"
    completes_choices: bool = False
    built_in: bool = False

    def address(self, settings: Settings) -> str:
        """The base URL for these settings; empty when one that it needs is missing."""
        if not isinstance(self.base_url, str):
            return self.base_url(settings)
        try:
            return self.base_url.format_map(settings)
        except KeyError:
            return ""

    def wire_for(self, model: str) -> Wire:
        bare = model.rpartition("/")[2]
        return next((wire for prefix, wire in self.wires if bare.startswith(prefix)), CHAT)
