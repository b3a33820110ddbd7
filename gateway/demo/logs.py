"""Writes sample logs straight into the database: a month of a busy team's traffic, ending now."""

from __future__ import annotations

import base64
import json
import random
import uuid
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate, islice

from django.db import transaction

from gateway import ids
from gateway.content.cutting import cut
from gateway.content.openai_fields import Usage
from gateway.demo.pictures import draw
from gateway.demo.words import ASKED, FAILURES, MODELS, Model
from gateway.index import blocks, full_text
from gateway.index.bitmaps import Block, Value
from gateway.index.facets import Entry, values_of
from gateway.index.full_text import Texts
from gateway.models import ApiKey, Image, LogImage, Payload, RequestLog, Workspace
from gateway.models.keys import ApiKeyQuerySet
from gateway.pictures import blobs, image_tokens
from gateway.pictures.decoder import Decoder
from gateway.pictures.log_images import image_row
from gateway.pictures.thumbnails import make
from gateway.providers import by_name
from gateway.recording import pricing
from gateway.recording.bodies import stored
from gateway.retention import removal

CLIENT = "loupe demo"
DAYS = 30
BATCH = 1000
INDEXED_AT_ONCE = 32_768
PICTURES = 480
LOGS_A_PICTURE = 8  # in a small sample; drawing them is what takes its time
USERS = 5000
SAME_TRACE = 0.2
KEYS = ("sample: checkout", "sample: claims", "sample: catalogue")


@dataclass(frozen=True, slots=True)
class Kept:
    """A drawn picture in the store, and how its base64 is written in a body."""

    row: Image
    subject: str
    encoding: str


def clear(workspace: Workspace) -> int:
    """Remove every sample log; answers how many there were."""
    logs, gone = RequestLog.objects.of(workspace).filter(sdk=CLIENT), 0
    while some := list(logs.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        gone += removal.remove_logs(workspace, some).count
    while removal.collect_files():
        pass
    keys(workspace).delete()
    return gone


def keys(workspace: Workspace) -> ApiKeyQuerySet:
    """Those of the sample logs, which exist as long as these do, and open nothing."""
    return ApiKey.objects.of(workspace).filter(name__in=KEYS, digest__startswith="sample")


def _own_keys(workspace: Workspace) -> list[ApiKey]:
    """Revoked, and without a secret that anybody could know."""
    for name in KEYS:
        if not keys(workspace).filter(name=name).exists():
            digest = f"sample-{uuid.uuid4().hex}"
            ApiKey.objects.create(workspace=workspace, name=name, digest=digest, revoked_at=datetime.now(UTC))
    return list(keys(workspace))


def write(workspace: Workspace, count: int, seed: int = 1) -> Iterator[int]:
    """Write so many logs, oldest first; yields how many there are so far."""
    chance = random.Random(seed)  # noqa: S311 - the same logs every time
    maker = _Maker(workspace, chance, _pictures(chance, min(PICTURES, max(count // LOGS_A_PICTURE, 24))))
    times = iter(_times(chance, count))
    waiting: dict[bytes, dict[str, Value]] = {}
    done = 0
    while batch := [maker.make(at) for at in islice(times, BATCH)]:
        with transaction.atomic():
            _write_batch(batch)
        waiting |= {one.log.pk.bytes: values_of(Entry(one.log, one.images)) for one in batch}
        done += len(batch)
        if len(waiting) >= INDEXED_AT_ONCE or done == count:
            blocks.add(workspace, Block.build(waiting))
            waiting.clear()
        yield done


@dataclass(slots=True)
class Made:
    log: RequestLog
    payload: Payload
    images: list[LogImage]
    texts: Texts


def _write_batch(batch: Sequence[Made]) -> None:
    RequestLog.objects.bulk_create([one.log for one in batch])
    Payload.objects.bulk_create([one.payload for one in batch])
    LogImage.objects.bulk_create([image for one in batch for image in one.images])
    full_text.write(one.texts for one in batch)


def _pictures(chance: random.Random, count: int) -> list[Kept]:
    decoder = Decoder()
    kept = []
    for _ in range(count):
        drawn = draw(chance)
        body = b'{"url":"data:' + drawn.media_type.encode() + b";base64," + base64.b64encode(drawn.data) + b'"}'
        cutting = cut(body)
        row = image_row(cutting.finds[0])
        with blobs.keeping({row.sha256: drawn.data}):
            row = Image.objects.get_or_create(sha256=row.sha256, defaults=_fields(row))[0]
            Image.objects.filter(pk=row.sha256).came_again()
        if row.thumbnail == Image.Thumbnail.PENDING:
            make(row, decoder)
        kept.append(Kept(row, drawn.subject, cutting.cuts[0].encoding))
    decoder.close()
    return kept


def _fields(row: Image) -> dict[str, object]:
    return {name: getattr(row, name) for name in ("media_type", "size", "width", "height", "thumbnail")}


def _times(chance: random.Random, count: int) -> list[datetime]:
    """Rising, more by day than by night, the last ones just now."""
    now = datetime.now(UTC)
    hours = [now - timedelta(hours=n) for n in range(DAYS * 24, 0, -1)]
    weights = list(accumulate((1 + 5 * (8 <= hour.hour < 20)) * (0.4 if hour.weekday() > 4 else 1) for hour in hours))
    picked = [hours[bisect(weights, chance.random() * weights[-1])] for _ in range(count)]
    return sorted(at + timedelta(seconds=chance.random() * 3590) for at in picked)


class _Maker:
    """Makes one log after the other, each as the recorder would have written it."""

    def __init__(self, workspace: Workspace, chance: random.Random, pictures: Sequence[Kept]) -> None:
        self.workspace, self.chance, self.pictures = workspace, chance, pictures
        self.keys = _own_keys(workspace)
        self.trace = ""
        self.rates = {model.name: _rates(model) for model in MODELS}
        self.users = [f"user-{n:04d}" for n in range(USERS)]

    def make(self, at: datetime) -> Made:
        chance = self.chance
        model = chance.choices(MODELS, [one.weight for one in MODELS])[0]
        log_id = _id_at(at, chance)
        log = RequestLog(id=log_id, workspace=self.workspace, started_at=ids.time_of(log_id), provider=model.provider)
        log.model = log.answer_model = model.name
        log.endpoint, log.method, log.sdk = model.endpoint, "POST", CLIENT
        log.path, log.stream = f"/v1/{model.endpoint}", chance.random() < 0.35
        log.api_key = chance.choice(self.keys)
        if not self.trace or chance.random() > SAME_TRACE:
            self.trace = str(uuid.UUID(int=chance.getrandbits(128)))
        log.trace_id = self.trace
        log.metadata = {
            "user": self.users[min(int(chance.paretovariate(0.6)) - 1, USERS - 1)],
            "env": chance.choices(("production", "staging", "dev"), (80, 15, 5))[0],
            "team": chance.choice(("checkout", "claims", "search", "catalogue", "support", "research")),
        }
        shown = self._shown(model)
        asked, answers = chance.choice(ASKED[shown[0].subject if shown else "text"])
        log.prompt_preview = asked
        answered = self._end(log, shown, chance.choice(answers))
        return self._with_bodies(log, shown, asked, answered)

    def _shown(self, model: Model) -> list[Kept]:
        if model.endpoint == "embeddings" or self.chance.random() < 0.15:
            return []
        count = self.chance.choices((1, 2, 3, 4, 6, 12, 40), (70, 14, 6, 5, 3, 1.9, 0.1))[0]
        return self.chance.choices(self.pictures, k=count)

    def _end(self, log: RequestLog, shown: Sequence[Kept], answer: str) -> str:
        """The outcome with its figures; answers the text that came back."""
        chance = self.chance
        log.gateway_ms = chance.uniform(0.4, 3)
        log.upstream_ms = min(chance.lognormvariate(7.3, 0.8), 120_000)
        log.state, log.status = RequestLog.State.OK, 200
        if chance.random() < 0.055:
            failure = chance.choices(FAILURES, [one.weight for one in FAILURES])[0]
            log.state, log.status, log.failure = RequestLog.State(failure.state), failure.status, failure.code
            log.failure_message, answer = failure.message, ""
            log.upstream_ms *= failure.slowness
        log.first_byte_ms = log.upstream_ms * chance.uniform(0.2, 0.6) if log.stream else log.upstream_ms
        log.total_ms = log.upstream_ms + log.gateway_ms
        log.answer_preview = (answer or log.failure_message)[:200]
        if answer:
            self._count(log, shown, answer)
        return answer

    def _count(self, log: RequestLog, shown: Sequence[Kept], answer: str) -> None:
        sizes = [(one.row.width or 0, one.row.height or 0) for one in shown]
        known = [image_tokens.estimate(log.model, *size) or 600 for size in sizes]
        log.image_tokens = sum(known) or None
        log.prompt_tokens = len(log.prompt_preview) // 4 + sum(known) + self.chance.randint(8, 900)
        log.completion_tokens = len(answer) // 4 + self.chance.randint(1, 40)
        log.total_tokens = log.prompt_tokens + log.completion_tokens
        log.finish_reason = self.chance.choices(("stop", "length", "tool_calls"), (93, 4, 3))[0]
        rate = self.rates[log.model]
        if rate is not None:
            cost = rate[0] * log.prompt_tokens + rate[1] * log.completion_tokens
            log.cost = cost.quantize(Decimal("0.00000001"))

    def _with_bodies(self, log: RequestLog, shown: Sequence[Kept], asked: str, answer: str) -> Made:
        parts: list[dict[str, object]] = [{"type": "text", "text": asked}]
        for one in shown:
            url = f"data:{one.row.media_type};base64,sha256:{one.row.sha256}"
            parts.append({"type": "image_url", "image_url": {"url": url}})
        body = json.dumps(
            {"model": log.model, "stream": log.stream, "messages": [{"role": "user", "content": parts}]}
        ).encode()
        cuts, at = [], 0
        for one in shown:
            at = body.index(f"sha256:{one.row.sha256}".encode(), at)
            cuts.append((at, one.row.sha256, one.encoding))
            at += 1
        said = _chat_answer(log, answer) if answer else {"error": {"message": log.failure_message, "code": log.failure}}
        response = json.dumps(said).encode()
        log.request_bytes = len(body) + sum(one.row.size * 4 // 3 - 71 for one in shown)
        log.response_bytes, log.input_images = len(response), len(shown)
        payload = Payload(
            log_id=log.pk,
            url=f"https://api.example{log.path}",
            request_headers={"content-type": "application/json"},
            request_body=stored(body),
            request_cuts=cuts,
            response_headers={"content-type": "application/json"},
            response_body=stored(response),
        )
        images = [_log_image(log, one, index) for index, one in enumerate(shown)]
        return Made(log, payload, images, Texts(log.pk, log.workspace_id, asked, answer or log.failure_message))


def _log_image(log: RequestLog, shown: Kept, index: int) -> LogImage:
    return LogImage(
        workspace_id=log.workspace_id,
        log=log,
        image=shown.row,
        direction=LogImage.Direction.INPUT,
        index=index,
        position=f"messages[0].content[{index + 1}].image_url.url",
        source=LogImage.Source.DATA,
        declared_type=shown.row.media_type,
        tokens=image_tokens.estimate(log.model, shown.row.width or 0, shown.row.height or 0),
    )


def _chat_answer(log: RequestLog, answer: str) -> dict[str, object]:
    choice = {"index": 0, "finish_reason": log.finish_reason, "message": {"role": "assistant", "content": answer}}
    usage = {"prompt_tokens": log.prompt_tokens, "completion_tokens": log.completion_tokens}
    return {"object": "chat.completion", "model": log.model, "choices": [choice], "usage": usage}


def _id_at(at: datetime, chance: random.Random) -> uuid.UUID:
    """A UUIDv7 of that time."""
    bits = chance.getrandbits(74)
    return uuid.UUID(
        int=int(at.timestamp() * 1000) << 80 | 7 << 76 | (bits >> 62) << 64 | 2 << 62 | bits & (1 << 62) - 1
    )


def _rates(model: Model) -> tuple[Decimal, Decimal] | None:
    """Dollars for a token in and a token out; None where the price is not known."""
    provider, at = by_name(model.provider), datetime.now(UTC)
    million = 1_000_000
    into = pricing.price(Usage(prompt=million, completion=0), provider=provider, models=[model.name], at=at).amount
    both = pricing.price(
        Usage(prompt=million, completion=million), provider=provider, models=[model.name], at=at
    ).amount
    return None if into is None or both is None else (into / million, (both - into) / million)
