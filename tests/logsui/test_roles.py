"""Every page against every role: a page that is missing in the table fails, and so does one that lets in who may not."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, reverse

from gateway.keys.audit import COMMAND
from gateway.keys.people import add_person, create_workspace
from gateway.models import Membership
from logsui import urls as logsui_urls
from prompts import urls as prompts_urls

pytestmark = pytest.mark.django_db

Role = Membership.Role
STATIC = "django.contrib.staticfiles.storage.StaticFilesStorage"
RANK = [Role.VIEWER, Role.EDITOR, Role.OWNER]
ANYBODY = {"home", "login", "login-link", "logout", "account", "theme", "create-workspace", "join"}
NEEDS = {
    ("GET", Role.VIEWER): """
        logs new-rows chart chart-table by-facet export-progress export suggestions filter-range log log-program log-folder compare json-branch
        log-body image thumbnail keys prices people storage prompts-used prompt-uses picture picture-thumbnail model-options
        pictures picture-answers sets set export-set run run-news export-run connect prompts prompt prompt-versions""",
    ("POST", Role.VIEWER): "display",
    ("GET", Role.EDITOR): "replay log-as-prompt pick-picture new-prompt new-partial",
    ("POST", Role.EDITOR): """
        first-call sample-logs delete-found delete-log keep-log save-view remove-view feedback replay-body create-key revoke-key set-price
        apply-prices remove-price run-prompt upload-picture create-set rename-set delete-set set-columns add-case case
        remove-case import-cases start-run stop-run resume-run delete-run mark-cell new-comparison start-comparison
        shape-prompt prompt-variables save-prompt restore-version publish-prompt label-prompt rename-prompt delete-prompt
        restore-prompt""",
    ("GET", Role.OWNER): "provider-fields audit export-audit",
    ("POST", Role.OWNER): """
        create-virtual-key revoke-virtual-key test-virtual-key invite withdraw set-role remove-member set-rule""",
}
TABLE = [(name, method, role) for (method, role), names in NEEDS.items() for name in names.split()]
SAMPLES: dict[str, Any] = {
    "slug": "default",
    "which": "request",
    "number": "i0",
    "kind": "csv",
    "token": "t",
    "facet": "model",
}


def routes() -> list[URLPattern]:
    return [*logsui_urls.urlpatterns, *prompts_urls.urlpatterns]


def address(name: str) -> str:
    pattern = next(one.pattern for one in routes() if one.name == name)
    given = {
        part: SAMPLES.get(part) or (uuid.uuid4() if "UUID" in type(converter).__name__ else 256)
        for part, converter in pattern.converters.items()
    }
    return reverse(name, kwargs=given | {"slug": "default"} | ({"sha256": "0" * 64} if "sha256" in given else {}))


def test_no_page_is_missing_in_the_table() -> None:
    assert sorted([*ANYBODY, *(name for name, _, _ in TABLE)]) == sorted(str(one.name) for one in routes())


@pytest.fixture
def clients(settings: Any) -> dict[Membership.Role, Client]:
    """Of the three roles. Static files, which are another's business, are not packed."""
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": STATIC}}
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if "whitenoise" not in one]
    workspace = create_workspace(slug="default", name="Default")
    found = {}
    for role in RANK:
        add_person(workspace=workspace, username=role, role=role, actor=COMMAND)
        found[role] = Client()
        found[role].force_login(User.objects.get(username=role))
    return found


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_each_page_lets_in_its_role_and_those_above_and_no_other(
    clients: dict[Membership.Role, Client], method: str
) -> None:
    stranger = Client()
    other = Client()
    other.force_login(User.objects.create(username="member of nothing"))
    for name, _, needed in (one for one in TABLE if one[1] == method):
        path = address(name)
        for role, client in clients.items():
            status = client.generic(method, path).status_code
            allowed = RANK.index(role) >= RANK.index(needed)
            assert (status != 403) == allowed, (name, role, status)
            assert status != 405, (name, method)
        answer = stranger.generic(method, path)
        assert (answer.status_code, answer["location"].split("?")[0]) == (302, "/login"), name
        assert other.generic(method, path).status_code == 404, name
