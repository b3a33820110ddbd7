"""A browser without a screen: cookies, redirects, forms with their CSRF token."""

from __future__ import annotations

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass

from tests.loupe import Loupe


@dataclass
class Page:
    status: int
    url: str
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Browser:
    """Logged in through the link that `up` printed, unless `link` is empty."""

    def __init__(self, loupe: Loupe, link: str | None = None) -> None:
        self.loupe = loupe
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        link = loupe.manage("loginlink", "--base", loupe.root) if link is None else link
        if link:
            self.get(link.removeprefix(loupe.root))

    def get(self, path: str, **headers: str) -> Page:
        return self._open(path, None, headers)

    def post(self, path: str, page: str | None = None, **fields: str) -> Page:
        """Send the form that stands on `page` (or on the path itself)."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(page or path).text)
        fields["csrfmiddlewaretoken"] = token[1] if token else ""
        return self._open(path, urllib.parse.urlencode(fields).encode(), {})

    def upload(self, path: str, page: str, files: dict[str, bytes], **fields: str) -> Page:
        """Send a form with files, which all go into its field `files`."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(page).text)
        mark = uuid.uuid4().hex
        parts = [(f'name="{name}"', text.encode()) for name, text in fields.items()]
        parts += [('name="csrfmiddlewaretoken"', token[1].encode() if token else b"")]
        parts += [(f'name="files"; filename="{name}"', data) for name, data in files.items()]
        body = b"".join(
            f"--{mark}\r\ncontent-disposition: form-data; {head}\r\n\r\n".encode() + data + b"\r\n"
            for head, data in parts
        )
        headers = {"content-type": f"multipart/form-data; boundary={mark}"}
        return self._open(path, body + f"--{mark}--\r\n".encode(), headers)

    def _open(self, path: str, data: bytes | None, headers: dict[str, str]) -> Page:
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        return self.send(self.loupe.root + path, data, **named)

    def send(self, url: str, data: bytes | None = None, **headers: str) -> Page:
        """Ask any server; redirects lead where they will."""
        request = urllib.request.Request(url, data, headers)
        try:
            with self.opener.open(request, timeout=30) as answer:
                return Page(answer.status, answer.url, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Page(error.code, error.url or "", {k.lower(): v for k, v in error.headers.items()}, error.read())
