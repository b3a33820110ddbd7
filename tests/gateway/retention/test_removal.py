"""What goes, goes whole; what is needed stays; what is killed in between leaves a note and nothing that dangles."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.index import full_text
from gateway.models import Image, LogImage, LogText, Payload, PictureToGo, RequestLog
from gateway.pictures import blobs, prompt_pictures
from gateway.pictures.bucket_store import BucketStore, Cache
from gateway.retention import checking, removal
from tests.gateway.retention.conftest import Logs
from tests.pictures import picture

pytestmark = pytest.mark.django_db(transaction=True)
RED, BLUE = picture(colour=(200, 0, 0)), picture(colour=(0, 0, 200))


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def findings() -> list[str]:
    return [one.what for one in checking.check(repair=False, hashes=True)]


def test_a_removed_log_is_gone_from_rows_words_index_and_files(logs: Logs) -> None:
    gone, stays = logs.write("a chipped mug", RED), logs.write("a whole mug", BLUE)
    logs.index()
    removed = removal.remove_logs(logs.workspace, [gone.pk])
    assert removed.count == 1
    assert removed.bytes > 0
    while removal.collect_files():
        pass
    assert list(RequestLog.objects.values_list("pk", flat=True)) == [stays.pk]
    assert logs.found("mug") == logs.found("model:m") == {stays.pk}
    assert logs.count() == 1
    assert not logs.found("chipped")
    assert not logs.has_bytes(sha(RED))
    assert logs.has_bytes(sha(BLUE))
    assert findings() == []


def test_a_picture_stays_while_another_log_or_a_prompt_shows_it(logs: Logs) -> None:
    first, second = logs.write("one", RED), logs.write("two", RED)
    third = logs.write("three", BLUE)
    prompt_pictures.keep(workspace=logs.workspace, data=BLUE)
    removal.remove_logs(logs.workspace, [first.pk, third.pk])
    removal.collect_files()
    assert logs.has_bytes(sha(RED))
    assert logs.has_bytes(sha(BLUE))
    removal.remove_logs(logs.workspace, [second.pk])
    removal.collect_files()
    assert not logs.has_bytes(sha(RED))
    assert findings() == []


def test_bodies_go_and_the_figures_stay(logs: Logs) -> None:
    log = logs.write("a chipped mug", RED)
    logs.index()
    assert removal.remove_bodies(logs.workspace, [log.pk]).count == 1
    log.refresh_from_db()
    assert not Payload.objects.exists()
    assert not LogText.objects.exists()
    assert (log.prompt_preview, log.answer_preview, log.status) == ("", "", 200)
    assert logs.found("model:m") == {log.pk}
    assert not logs.found("mug")
    assert findings() == []


def test_removed_bytes_leave_what_is_known_of_them_and_come_back_with_the_picture(logs: Logs) -> None:
    logs.write("one", RED)
    removal.remove_pictures([sha(RED)])
    removal.collect_files()
    image = Image.objects.get()
    assert image.removed_at
    assert not logs.has_bytes(sha(RED))
    assert "removed on" in image.thumbnail_problem
    logs.write("again", RED)
    image.refresh_from_db()
    assert image.removed_at is None
    assert image.thumbnail == "pending"
    assert logs.has_bytes(sha(RED))
    assert LogImage.objects.filter(image=image).count() == 2


def test_a_picture_that_comes_again_while_it_waits_to_go_stays(logs: Logs) -> None:
    log = logs.write("one", RED)
    removal.remove_logs(logs.workspace, [log.pk])
    logs.write("again", RED)
    removal.collect_files()
    assert logs.has_bytes(sha(RED))
    assert not PictureToGo.objects.exists()


def test_bytes_that_are_removed_between_the_file_and_its_row_are_stored_again(logs: Logs) -> None:
    log = logs.write("one", RED)
    removal.remove_logs(logs.workspace, [log.pk])
    with blobs.keeping({sha(RED): RED}):
        blobs.remove([sha(RED)])  # as by a collection that came first
    assert logs.has_bytes(sha(RED))


class Killed(Exception):
    pass


@pytest.mark.parametrize("at", ["files", "commit"])
def test_a_collection_that_is_killed_is_taken_up_again(logs: Logs, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    log = logs.write("one", RED)
    removal.remove_logs(logs.workspace, [log.pk])
    with monkeypatch.context() as patched:
        patched.setattr(blobs, "remove", _killed if at == "files" else blobs.remove)
        with pytest.raises(Killed):
            _collect_and_die()
    assert PictureToGo.objects.count() == 1
    removal.collect_files()
    assert not logs.has_bytes(sha(RED))
    assert findings() == []


def _killed(*args: Any) -> None:
    raise Killed


@transaction.atomic
def _collect_and_die() -> None:
    removal.collect_files()
    raise Killed


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=TEXT, answer=TEXT)
def test_whatever_was_said_no_word_of_it_is_left_in_the_index(logs: Logs, said: str, answer: str) -> None:
    full_text.empty()  # of other tests, whose rows alone were removed
    log = logs.write(said, answer=answer)
    removal.remove_logs(logs.workspace, [log.pk])
    while full_text.write_over():
        pass
    assert not LogText.objects.exists()
    assert words_left() == 0


def words_left() -> int:
    """How many entries SQLite's index of words holds, whether a row leads to them or not."""
    from django.db import connection

    if connection.vendor != "sqlite":
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE VIRTUAL TABLE IF NOT EXISTS temp.words_left USING fts5vocab(main, gateway_logwords, 'row')"
        )
        cursor.execute("SELECT count(*) FROM temp.words_left")
        return int(cursor.fetchone()[0])


def test_what_another_machine_removed_goes_from_this_ones_cache_too(
    logs: Logs, bucket: str, tmp_path: Path, settings: Any
) -> None:
    settings.BLOB_STORE_URL, settings.LOUPE_DATA = bucket, tmp_path
    blobs.at.cache_clear()
    gone, _ = logs.write("one", RED), logs.write("two", BLUE)
    here = {blobs.name_of(sha(one)): tmp_path / "blob-cache" / blobs.name_of(sha(one)) for one in (RED, BLUE)}
    elsewhere = BucketStore(bucket, Cache(tmp_path / "of-another-machine", 1_000_000))
    for name in here:
        blobs.store().read(name)
    removal.remove_logs(logs.workspace, [gone.pk])
    Image.objects.filter(pk=sha(RED)).delete()
    elsewhere.remove([blobs.name_of(sha(RED))])
    assert [path.exists() for path in here.values()] == [True, True]
    removal.forget_copies()
    assert [path.exists() for path in here.values()] == [False, True]
    blobs.at.cache_clear()
