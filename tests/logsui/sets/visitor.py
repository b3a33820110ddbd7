"""Somebody at the pages of picture sets."""

from __future__ import annotations

import io
import json
import re
import uuid
import zipfile
from dataclasses import dataclass
from typing import Any

from tests.fake_upstream import Case
from tests.logsui.browser import Browser
from tests.loupe import Loupe, until
from tests.pictures import picture

CASES = b"name,receipt,currency,expected\none,a.png,EUR,square\ntwo,b.png,USD,circle\nthree,,CHF,\n"
PICTURES = {"a.png": picture(), "b.png": picture(size=(50, 20))}


@dataclass
class Runs:
    """Somebody at the pages of sets, with a prompt of two versions on a virtual key."""

    browser: Browser
    case: Case
    slug: str
    path: str = ""

    @classmethod
    def on(cls, loupe: Loupe, case: Case, vkey: str) -> Runs:
        scopes = ["--scope", "prompts.use", "--scope", "prompts.write"]
        key = {"x-portkey-api-key": loupe.manage("apikey", "create", f"sets {uuid.uuid4().hex[:6]}", *scopes)}
        parts = [
            {"type": "text", "text": "What is it, in {{currency}}?"},
            {"type": "image_url", "image_url": {"url": "{{receipt}}"}},
        ]
        body = {"string": json.dumps([{"role": "user", "content": parts}]), "model": f"@{vkey}/gpt-4o"}
        made = json.loads(loupe.call("/v1/prompts", body | {"name": "Seen", "parameters": {}}, headers=key)[2])
        changed = body["string"].replace("What is it", "Say what it is")
        loupe.call(f"/v1/prompts/{made['slug']}", {"string": changed}, method="PUT", headers=key)
        return cls(Browser(loupe), case, made["slug"])

    def make(self, files: dict[str, bytes]) -> Runs:
        page = self.browser.post("/w/default/sets/create", "/w/default/sets", name="Receipts", prompt=self.slug)
        self.path = page.url.removeprefix(self.browser.loupe.root)
        self.said = self.browser.upload(f"{self.path}/import", self.path, files, column="receipt").text
        return self

    def start(self, *columns: str, **fields: str) -> str:
        """The path of the run."""
        named = {f"c{at}-prompt": column for at, column in enumerate(columns)}
        page = self.browser.post(f"{self.path}/run", self.path, **named, **fields)
        assert "/runs/" in page.url, re.findall(r'role="alert">([^<]+)', page.text)
        return page.url.removeprefix(self.browser.loupe.root)

    def results(self, run: str) -> list[dict[str, Any]]:
        with zipfile.ZipFile(io.BytesIO(self.browser.get(f"{run}/export").body)) as archive:
            return [json.loads(line) for line in archive.read("results.jsonl").splitlines()]

    def states(self, run: str) -> str:
        return "".join(one["state"][0] for one in self.results(run))

    def ended(self, run: str) -> list[dict[str, Any]]:
        until(lambda: not set("wr") & set(self.states(run)), "every cell is answered", 40)
        return self.results(run)
