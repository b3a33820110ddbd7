"""The recipe of docs/architecture.md for a new provider, followed to the letter with a vendor that does not exist."""

from __future__ import annotations

import re
import shutil
import textwrap
from pathlib import Path

from tests.fake_upstream import FakeUpstream, response
from tests.loupe import ROOT, Loupe
from tests.pictures import picture

PARTS = ("gateway", "logsui", "prompts", "static", "manage.py")


def test_a_made_up_vendor_works_after_the_five_steps(tmp_path: Path, upstream: FakeUpstream) -> None:
    code = tmp_path / "checkout"
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
        code.mkdir(exist_ok=True)
        copy(ROOT / part, code / part)
    follow_the_recipe(code / "gateway" / "providers")
    upstream.on("acme-pictures").will(response(body=picture("PNG")))
    loupe = Loupe(tmp_path / "data", code=code, LOUPE_FETCH_HOSTS=f"127.0.0.1:{upstream.port}").start()
    try:
        loupe.add_virtual_key("acme", upstream.url("acme"), "acme-secret", provider="acme")
        link = f"http://127.0.0.1:{upstream.port}/acme-pictures/a.png"
        content = [{"type": "image_url", "image_url": link}] * 5
        body = {"model": "@acme/eye-1", "messages": [{"role": "user", "content": content}]}
        status, headers, _ = loupe.call("/v1/chat/completions", body)
    finally:
        loupe.stop()
    sent = upstream.on("acme").requests[0]
    assert status == 200
    assert (sent.path, sent.header("authorization")) == ("/v1/chat/completions", "Bearer acme-secret")
    assert sent.json["model"] == "eye-1"
    assert all(
        part["image_url"]["url"].startswith("data:image/png;base64,") for part in sent.json["messages"][0]["content"]
    )
    assert "Acme Vision takes 4" in headers["x-loupe-warnings"]


def follow_the_recipe(providers: Path) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    (code,) = re.findall(r"acme\.py`:\n\n *```python\n(.*?)```", page, re.DOTALL)
    (providers / "compatible" / "acme.py").write_text(textwrap.dedent(code))
    listed = providers / "__init__.py"
    text = listed.read_text().replace(
        "\n\nPROVIDERS", "\nfrom gateway.providers.compatible.acme import ACME\n\nPROVIDERS", 1
    )
    listed.write_text(text.replace("Provider, ...] = (", "Provider, ...] = (\n    ACME,", 1))
