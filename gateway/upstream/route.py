"""Where one call goes, and the address that it has there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit, urlunsplit

from gateway.errors import BadRequest
from gateway.providers.base import Provider, Wire

UPLOAD = "/upload"


@dataclass(frozen=True, slots=True)
class Route:
    """Where one call goes. `model` is the provider's name for it, without our slug."""

    provider: Provider
    base_url: str
    model: str
    virtual_key: int | None = None
    secret: str = field(default="", repr=False)
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)

    wire: Wire = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "wire", self.provider.wire_for(self.model))

    @property
    def secrets(self) -> list[str]:
        """What no log and no error text may show."""
        own = (self.settings.get(setting.name, "") for setting in self.provider.settings if setting.secret)
        return [secret for secret in (self.secret, *own) if secret]

    def url(self, endpoint: str, query: str, version: str = "") -> str:
        """The address of an endpoint that the provider knows under the same name, and the version that was asked for."""
        if self.provider.uploads and endpoint.startswith(UPLOAD):
            return self._upload_url(endpoint.removeprefix(UPLOAD), query)
        if self.provider.own_version:
            path = f"/{version or self.provider.own_version}{endpoint}"
        elif self.provider.place:
            path = self.provider.place(self.settings, endpoint, self.model)
        else:
            path = self.provider.paths.get(endpoint, endpoint)
        return self.base_url + _inside(path) + (("&" if "?" in path else "?") + query if query else "")

    def _upload_url(self, endpoint: str, query: str) -> str:
        """Google's: `/upload` stands in front of the version."""
        base = urlsplit(self.base_url)
        before, _, version = base.path.rpartition("/")
        return urlunsplit((base.scheme, base.netloc, f"{before}{UPLOAD}/{version}{_inside(endpoint)}", query, ""))

    def wire_url(self, endpoint: str, *, stream: bool) -> str:
        """The address of the provider's own chat."""
        wire = self.wire
        path = wire.stream_path if stream else wire.path
        if not path:
            return self.url(endpoint, "")
        model = quote(self.model.removeprefix("models/"), safe="@.-_~")
        region = self.settings.get("region") or "global"
        try:
            return self.base_url + _inside(path.format_map({**self.settings, "region": region, "model": model}))
        except KeyError as missing:
            one = next(one for one in self.provider.settings if one.name == missing.args[0])
            raise BadRequest(
                f"{self.provider.title} needs {one.title}: set it in the virtual key, or send x-portkey-{one.header}.",
                code="missing_setting",
                param=one.header,
            ) from None

    def setting(self, name: str) -> str:
        return self.settings.get(name, "")


def _inside(path: str) -> str:
    """A path with a model or a setting in it, which must not lead out of the provider's address."""
    if "/." in path and any(step in (".", "..") for step in path.partition("?")[0].split("/")):
        raise BadRequest("A model or a deployment cannot be named '.' or '..'.", code="invalid_model", param="model")
    return path
