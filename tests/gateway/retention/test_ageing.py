"""What is old goes by the workspace's rule, what is too much goes oldest first, and what is kept stays whole."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from gateway.keys.people import create_workspace
from gateway.models import Image, Part, Payload, Removal, RequestLog
from gateway.pictures import prompt_pictures
from gateway.recording import feedback
from gateway.retention import ageing, checking, removal, rules
from gateway.retention.ageing import SizeBound
from prompts.library import pictures
from prompts.models import PromptPicture
from prompts.sets import picture_sets
from prompts.sets.cases import CaseText
from tests.gateway.retention.conftest import Logs
from tests.gateway.retention.test_removal import BLUE, RED, sha

pytestmark = pytest.mark.django_db(transaction=True)


def age() -> None:
    while ageing.step():
        pass
    assert list(checking.check(repair=False, hashes=False)) == []


def test_pictures_go_after_30_days_bodies_after_90_and_all_after_two_years(logs: Logs) -> None:
    ages = {"new": 29, "no picture": 31, "no bodies": 91, "gone": 731}
    rows = {name: logs.write(name, RED if name == "new" else BLUE, days=days) for name, days in ages.items()}
    logs.index()
    age()
    assert set(RequestLog.objects.values_list("pk", flat=True)) == {rows[name].pk for name in ages if name != "gone"}
    assert set(Payload.objects.values_list("pk", flat=True)) == {rows["new"].pk, rows["no picture"].pk}
    assert logs.has_bytes(sha(RED))
    assert not logs.has_bytes(sha(BLUE))
    assert Image.objects.get(pk=sha(BLUE)).width == 40
    removed = {(row.part, row.count) for row in Removal.objects.of(logs.workspace)}
    assert removed == {("pictures", 1), ("bodies", 2), ("figures", 1)}


def test_what_came_late_out_of_a_journal_goes_as_well(logs: Logs) -> None:
    logs.write("in time", RED, days=100)
    age()
    late = logs.write("late", BLUE, days=101)
    age()
    assert not logs.has_bytes(sha(BLUE))
    assert not Payload.objects.filter(pk=late.pk).exists()


def test_a_picture_is_as_young_as_the_youngest_log_that_shows_it(logs: Logs) -> None:
    logs.write("old", RED, days=60)
    logs.write("new", RED, days=1)
    age()
    assert logs.has_bytes(sha(RED))


def test_what_is_kept_or_rated_or_of_a_prompt_or_a_case_stays(logs: Logs) -> None:
    faces = [bytes(RED) + bytes([n]) for n in range(4)]
    kept, rated, _, _ = (logs.write(f"log {n}", face, days=800) for n, face in enumerate(faces))
    rules.keep(log=kept, user_id=None)
    feedback.give(workspace=logs.workspace, trace_id="", log=rated, value=5)
    prompt_pictures.keep(workspace=logs.workspace, data=faces[2])
    cases = picture_sets.create_set(workspace=logs.workspace, name="cases", columns=["photo"])
    picture_sets.add_cases(picture_set=cases, cases=[CaseText("one", {"photo": f"loupe:sha256:{sha(faces[3])}"})])
    age()
    assert set(RequestLog.objects.values_list("pk", flat=True)) == {kept.pk, rated.pk}
    assert Payload.objects.count() == 2
    assert all(logs.has_bytes(sha(face)) for face in faces)


def test_what_is_let_go_of_goes_as_any_other(logs: Logs) -> None:
    kept = logs.write("kept", RED, days=100)
    rules.keep(log=kept, user_id=None)
    logs.write("later", BLUE, days=50)
    age()
    assert logs.has_bytes(sha(RED))
    rules.let_go(log=kept)
    age()
    assert not logs.has_bytes(sha(RED))
    assert not Payload.objects.filter(pk=kept.pk).exists()


def test_a_picture_that_two_workspaces_show_stays_as_long_as_one_wants_it(logs: Logs) -> None:
    other = Logs(create_workspace(slug="other", name="Other"))
    rules.change(workspace=other.workspace, days={Part.PICTURES: 60})
    logs.write("here", RED, days=50)
    other.write("there", RED, days=50)
    age()
    assert logs.has_bytes(sha(RED))
    rules.change(workspace=other.workspace, days={Part.PICTURES: 40})
    age()
    assert not logs.has_bytes(sha(RED))


def test_a_rule_that_says_for_ever_removes_nothing(logs: Logs) -> None:
    rules.change(workspace=logs.workspace, days=dict.fromkeys(Part))
    logs.write("old", RED, days=5000)
    age()
    assert logs.has_bytes(sha(RED))
    assert Payload.objects.exists()


@pytest.mark.parametrize("days", [{Part.BODIES: 800}, {Part.PICTURES: None}, {Part.FIGURES: 10}, {Part.PICTURES: 0}])
def test_a_rule_that_cannot_be_meant_is_refused(logs: Logs, days: dict[Part, int | None]) -> None:
    with pytest.raises(ValidationError):
        rules.change(workspace=logs.workspace, days=days)


def test_calls_under_way_are_left_alone(logs: Logs) -> None:
    log = logs.write("slow", RED, days=800)
    RequestLog.objects.filter(pk=log.pk).update(state="in_flight")
    age()
    assert RequestLog.objects.exists()
    assert logs.has_bytes(sha(RED))


def test_what_is_too_much_goes_oldest_first_pictures_before_bodies_before_logs(
    logs: Logs, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ageing, "AT_ONCE", 1)
    old, new = logs.write("old", RED, days=2), logs.write("new", BLUE, days=1)
    logs.write("a moment ago", days=0)
    bound, seen = SizeBound(), []
    settings.KEEP_BYTES = 1

    def state() -> tuple[bool, bool, int, int]:
        return logs.has_bytes(sha(RED)), logs.has_bytes(sha(BLUE)), Payload.objects.count(), RequestLog.objects.count()

    while bound.step():
        seen.append(state())
    assert seen == [
        (False, True, 3, 3), (False, False, 3, 3),
        (False, False, 2, 3), (False, False, 1, 3),
        (False, False, 1, 2), (False, False, 1, 1),
    ]  # fmt: skip
    assert {row.reason for row in Removal.objects.all()} == {"size"}
    assert old.pk < new.pk


def test_what_fits_is_measured_and_left_alone(logs: Logs, settings: Any) -> None:
    logs.write("old", RED, days=2)
    settings.KEEP_BYTES = ageing.bytes_kept() + 1
    assert not SizeBound().step()
    assert logs.has_bytes(sha(RED))


def test_without_a_number_four_fifths_of_the_disk_are_the_bound(logs: Logs, settings: Any) -> None:
    settings.KEEP_BYTES = 0
    assert ageing.bytes_kept() < ageing.bound(ageing.bytes_kept())


def test_pictures_that_no_prompt_names_any_more_go_a_week_later(logs: Logs) -> None:
    cases = picture_sets.create_set(workspace=logs.workspace, name="cases", columns=["photo"])
    for face in (RED, BLUE):
        prompt_pictures.keep(workspace=logs.workspace, data=face)
    picture_sets.add_cases(picture_set=cases, cases=[CaseText("one", {"photo": f"loupe:sha256:{sha(RED)}"})])
    assert pictures.let_go() == []  # one of them may be in a form that nobody has saved yet
    PromptPicture.objects.update(created_at=timezone.now() - timedelta(days=8))
    removal.note_files(pictures.let_go())
    removal.collect_files()
    assert logs.has_bytes(sha(RED))
    assert not logs.has_bytes(sha(BLUE))
    assert list(checking.check(repair=False, hashes=False)) == []
