"""Picture sets as files: a table of cases, CSV or JSON Lines, and the pictures that it names, one by one or in a ZIP."""

from __future__ import annotations

import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from gateway.models import Image, Workspace
from gateway.pictures import prompt_pictures
from logsui.archive import Archive
from prompts.language.rendering import PICTURE
from prompts.models import PictureSet
from prompts.sets import cases, picture_sets
from prompts.sets.cases import BadCases, CaseText

OF_A_RUN = ("results.csv", "results.jsonl")
TABLES = (".csv", ".jsonl", ".ndjson")
MOST_FILES = 3000
MOST_BYTES = 128 * 1024 * 1024
FILE_NAME = re.compile(r"[^\s/:{}][^/:{}]*\.(?:png|jpe?g|webp|gif|tiff?|heic)", re.IGNORECASE)
DEFAULT_COLUMN = "picture"
BROKEN_ZIP = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)
END_OF_DIRECTORY, END_SIZE, LOCATOR_64 = b"PK\5\6", 22, b"PK\6\7"


@dataclass(slots=True)
class Imported:
    """What files say. `strays` are values that read like the name of a file that was not among them."""

    cases: list[CaseText] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)


def read(workspace: Workspace, files: Iterable[UploadedFile[Any]], *, column: str) -> Imported:
    """The cases of the files, their pictures kept. Pictures without a table are a case each, in `column`.

    Raises:
        ValidationError: a file cannot be used; names it and says why. Nothing is imported then.
    """
    tables: list[tuple[str, bytes]] = []
    pictures: dict[str, bytes] = {}
    for name, data in _opened(files):
        if PurePosixPath(name).name in OF_A_RUN:
            raise ValidationError(f"{name} is of the export of a run. Import the export of its set.")
        if name.lower().endswith(TABLES):
            tables.append((name, data))
        elif pictures.setdefault(name, data) != data:
            raise ValidationError(f"{name} is given twice, with different pictures. Give one of them another name.")
    try:
        found = [one for name, data in tables for one in cases.read(name, data)]
    except BadCases as error:
        raise ValidationError(str(error)) from None
    if not tables:
        found = [CaseText(PurePosixPath(name).stem, {column or DEFAULT_COLUMN: name}) for name in pictures]
    kept = _Kept(workspace, pictures)
    made = Imported(found, cases.columns_of(found))
    for one in found:
        one.values = {name: kept.named(value) for name, value in one.values.items()}
        made.strays += [value for value in one.values.values() if FILE_NAME.fullmatch(value)]
    return made


def written(picture_set: PictureSet, kind: str) -> Iterator[bytes]:
    """A ZIP that `read` takes: the table, as csv or jsonl, and the kept pictures that it names."""
    found = picture_sets.texts(picture_set)
    with Archive("pictures") as archive:
        for one in found:
            one.values = with_files(archive, picture_set.workspace_id, one.values)
            yield archive.taken()
        text = cases.write_csv(found, picture_set.columns) if kind == "csv" else cases.write_lines(found)
        archive.write(f"cases.{kind}", text)
    yield archive.taken()


def with_files(archive: Archive, workspace: int, values: dict[str, str]) -> dict[str, str]:
    """The values, kept pictures by their path in the archive; one whose bytes are gone stays as it is."""
    found = {}
    for name, value in values.items():
        match = PICTURE.fullmatch(value.strip())
        image = prompt_pictures.find(workspace, match[1]) if match else None
        found[name] = (archive.keep(image) if image else None) or value
    return found


@dataclass(slots=True)
class _Kept:
    """Pictures by the name of their file, kept when they are first named."""

    workspace: Workspace
    pictures: dict[str, bytes]
    images: dict[str, Image] = field(default_factory=dict)
    by_last_part: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.pictures:
            self.by_last_part.setdefault(PurePosixPath(name).name, []).append(name)

    def named(self, value: str) -> str:
        """A value that names one of the files becomes the address of the kept picture; any other stays."""
        name = self._find(value.strip())
        if name is None:
            return value
        if name not in self.images:
            try:
                self.images[name] = prompt_pictures.keep(workspace=self.workspace, data=self.pictures[name])
            except ValidationError as error:
                raise ValidationError(f"{name}: {error.messages[0]}") from None
        return f"loupe:sha256:{self.images[name].sha256}"

    def _find(self, value: str) -> str | None:
        """By its whole path, or by its last part where only one file is called so."""
        if value in self.pictures:
            return value
        found = self.by_last_part.get(PurePosixPath(value).name, []) if FILE_NAME.search(value) else []
        return found[0] if len(found) == 1 else None


def _opened(files: Iterable[UploadedFile[Any]]) -> Iterator[tuple[str, bytes]]:
    """Every file with its name, those in ZIPs too. What a file system leaves beside (`.DS_Store`) is passed over."""
    count = size = 0
    for file in files:
        is_zip = (file.name or "").lower().endswith(".zip")
        for name, data in _unpacked(file) if is_zip else [(file.name or "", file.read())]:
            count, size = count + 1, size + len(data)
            if count > MOST_FILES or size > MOST_BYTES:
                raise ValidationError(
                    f"More than {MOST_FILES:,} files or {MOST_BYTES >> 20} MiB of them. Import them in parts."
                )
            if len(data) > settings.FETCH_MAX_BYTES:
                raise ValidationError(f"{name} is larger than {settings.FETCH_MAX_BYTES >> 20} MiB. Make it smaller.")
            yield name, data


def _unpacked(file: UploadedFile[Any]) -> Iterator[tuple[str, bytes]]:
    data = file.read()
    _check_directory(file.name or "", data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                path = PurePosixPath(entry.filename)
                if entry.is_dir() or any(part.startswith((".", "__MACOSX")) for part in path.parts):
                    continue
                with archive.open(entry) as opened:  # what a ZIP says of its sizes is not believed
                    yield str(path), opened.read(settings.FETCH_MAX_BYTES + 1)
    except BROKEN_ZIP as error:
        raise ValidationError(f"{file.name} cannot be opened as a ZIP: {error}.") from None


def _check_directory(name: str, data: bytes) -> None:
    """Refuse a ZIP by the size of its directory, all of which is read into memory before any count of ours (APPNOTE 4.3.16)."""
    at = data.rfind(END_OF_DIRECTORY)
    if at < 0 or len(data) < at + END_SIZE:
        raise ValidationError(f"{name} cannot be opened as a ZIP: it has no directory. Is it whole?")
    size = int.from_bytes(data[at + 12 : at + 16], "little")
    if size > MOST_FILES * 1000 or data[max(0, at - 20) : at].startswith(LOCATOR_64):
        raise ValidationError(f"{name} holds more than {MOST_FILES:,} files. Import them in parts.")


def summary(made: Imported) -> str:
    """What was imported, and what does not fit, in a sentence or two."""
    said = f"{len(made.cases):,} case{'' if len(made.cases) == 1 else 's'} imported."
    if not made.strays:
        return said
    return f"{said} {len(made.strays):,} of the values name a file that was not given, such as {made.strays[0]}."
