"""Files of any size as they are made: sent piece by piece, and ZIPs that hold each picture once."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

from gateway.models import Image
from gateway.pictures import blobs


def sent(pieces: Iterator[bytes], *, filename: str, content_type: str) -> StreamingHttpResponse:
    """The answer whose body is made while it is sent, only as fast as it is read."""
    headers = {"Content-Disposition": f'attachment; filename="{filename}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(_pulled(pieces), content_type=content_type, headers=headers)


async def _pulled(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """A synchronous generator, each step of it in Django's thread: the database is read there."""
    while (piece := await sync_to_async(lambda: next(pieces, None))()) is not None:
        yield piece


class Archive:
    """A ZIP under way. What was written so far is `taken` out of it again and again."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.sink = _Sink()
        self.zip = zipfile.ZipFile(self.sink, "w", zipfile.ZIP_STORED)
        self.kept: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.zip.close()

    def keep(self, image: Image) -> str | None:
        """The path of a picture in the archive; None when its bytes are gone."""
        path = f"{self.folder}/{image.sha256}.{image.media_type.rpartition('/')[2].partition('+')[0]}"
        if image.sha256 not in self.kept:
            try:
                self.zip.writestr(zipfile.ZipInfo(path), blobs.get(image.sha256))
            except blobs.BlobMissing:
                return None
            self.kept.add(image.sha256)
        return path

    def write(self, name: str, text: str) -> None:
        self.zip.writestr(zipfile.ZipInfo(name), text.encode("utf-8", "replace"))

    def written(self, name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Write a file of any length, handing out what is made meanwhile."""
        with self.zip.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member_file:
            for piece in pieces:
                member_file.write(piece)
                yield self.taken()

    def taken(self) -> bytes:
        return self.sink.taken()


class _Sink(io.RawIOBase):
    """What a ZIP is written into and taken out of piece by piece."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.pieces.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        data, self.pieces = b"".join(self.pieces), []
        return data
