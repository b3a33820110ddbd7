"""The logs of a workspace's traffic, light rows apart from payloads, and what people keep beside them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models

from gateway import ids
from gateway.models.keys import ApiKey, VirtualKey, Workspace
from gateway.models.many_rows import Table
from gateway.models.pictures import Image


class RequestLogQuerySet(models.QuerySet["RequestLog"]):
    def of(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def newest_first(self) -> Self:
        return self.order_by("-id")

    def before(self, log_id: uuid.UUID | None) -> Self:
        return self.filter(id__lt=log_id) if log_id else self

    def since(self, at: datetime | None) -> Self:
        """Begun at that time or later: ids sort by their milliseconds."""
        return self.filter(id__gte=ids.first_of(at)) if at else self

    def until(self, at: datetime | None) -> Self:
        return self.filter(id__lt=ids.first_of(at)) if at else self


class RequestLog(models.Model):
    """One request, light enough for lists: its bodies are in `Payload`, its pictures in `LogImage`.

    `wire` is the format in which the provider was spoken to, where that is not the endpoint's own. `image_tokens` is our
    estimate for the pictures that were sent; `tokens_disagree` says that the provider counted otherwise.
    """

    class State(models.TextChoices):
        IN_FLIGHT = "in_flight", "in flight"
        OK = "ok", "ok"
        ERROR = "error", "provider error"
        FAILED = "failed", "failed"
        ABORTED = "aborted", "client left"
        INTERRUPTED = "interrupted", "interrupted"
        REFUSED = "refused", "refused"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="logs", db_index=False)
    api_key = models.ForeignKey(ApiKey, models.SET_NULL, null=True, related_name="logs")
    virtual_key = models.ForeignKey(VirtualKey, models.SET_NULL, null=True, related_name="logs")
    started_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=State.choices, default=State.IN_FLIGHT)
    status = models.PositiveSmallIntegerField(null=True)
    failure = models.CharField(max_length=40, blank=True)
    failure_message = models.CharField(max_length=1000, blank=True)

    endpoint = models.CharField(max_length=40)
    method = models.CharField(max_length=10)
    path = models.CharField(max_length=500)
    stream = models.BooleanField(default=False)
    provider = models.CharField(max_length=40, blank=True)
    model = models.CharField(max_length=200, blank=True)
    answer_model = models.CharField(max_length=200, blank=True)

    prompt_tokens = models.PositiveIntegerField(null=True)
    completion_tokens = models.PositiveIntegerField(null=True)
    total_tokens = models.PositiveIntegerField(null=True)
    cached_tokens = models.PositiveIntegerField(null=True)
    reasoning_tokens = models.PositiveIntegerField(null=True)
    token_kinds = models.JSONField(default=dict)
    cost = models.DecimalField(max_digits=14, decimal_places=8, null=True)
    cost_source = models.CharField(max_length=10, blank=True)
    priced_as = models.CharField(max_length=200, blank=True)
    service_tier = models.CharField(max_length=20, blank=True)
    provider_cost = models.DecimalField(max_digits=14, decimal_places=8, null=True)
    image_tokens = models.PositiveIntegerField(null=True)
    tokens_disagree = models.BooleanField(default=False)
    finish_reason = models.CharField(max_length=40, blank=True)

    total_ms = models.FloatField(null=True)
    first_byte_ms = models.FloatField(null=True)
    upstream_ms = models.FloatField(null=True)
    gateway_ms = models.FloatField(null=True)
    request_bytes = models.PositiveBigIntegerField(default=0)
    response_bytes = models.PositiveBigIntegerField(default=0)

    prompt_preview = models.CharField(max_length=200, blank=True)
    answer_preview = models.CharField(max_length=200, blank=True)
    input_images = models.PositiveSmallIntegerField(default=0)
    output_images = models.PositiveSmallIntegerField(default=0)

    trace_id = models.CharField(max_length=128)
    span_id = models.CharField(max_length=128, blank=True)
    span_name = models.CharField(max_length=128, blank=True)
    parent_span_id = models.CharField(max_length=128, blank=True)
    metadata = models.JSONField(default=dict)
    sdk = models.CharField(max_length=64, blank=True)
    prompt_slug = models.CharField(max_length=50, blank=True)
    prompt_version = models.PositiveIntegerField(null=True)
    prompt_label = models.CharField(max_length=50, blank=True)
    wire = models.CharField(max_length=20, blank=True)
    warnings = models.JSONField(default=list)
    bodies_kept = models.BooleanField(default=True)

    objects = RequestLogQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "-id"], name="log_newest_first"),
            models.Index(fields=["workspace", "trace_id", "-id"], name="logs_of_a_trace"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.state}"

    @property
    def is_in_flight(self) -> bool:
        return self.state == self.State.IN_FLIGHT

    @property
    def is_bad(self) -> bool:
        """Whether there is no answer because somebody refused or something broke; a client that left is its own affair."""
        return self.state in (self.State.ERROR, self.State.FAILED, self.State.REFUSED)

    @property
    def is_timed(self) -> bool:
        return self.total_ms is not None

    @property
    def is_counted(self) -> bool:
        return self.total_tokens is not None

    @property
    def sent_through(self) -> str:
        """The virtual key of the call; the provider's name where the caller brought a key along."""
        return f"@{self.virtual_key.slug}" if self.virtual_key else self.provider

    @property
    def broken_answer(self) -> str:
        """The beginning of what had come before it failed; empty where that is the error itself."""
        return "" if self.answer_preview == self.failure_message[:200] else self.answer_preview

    @property
    def is_error_status(self) -> bool:
        return self.status is not None and self.status >= 400

    @property
    def answered_by_another(self) -> bool:
        """Whether the provider names another model than was asked for."""
        return bool(self.answer_model) and self.answer_model != self.model

    @property
    def image_count(self) -> int:
        return self.input_images + self.output_images


class Payload(models.Model):
    """The bodies of one request, pictures cut out (`cutting`), made small (`recording.bodies`).

    `prompt_variables` are those of a prompt's call; a picture among them is `{"picture": <its place in the request>}`.
    """

    log = models.OneToOneField(RequestLog, models.CASCADE, primary_key=True, related_name="payload")
    url = models.CharField(max_length=1000, blank=True)
    request_headers = models.JSONField(default=dict)
    request_body = models.BinaryField(default=b"")
    request_cuts = models.JSONField(default=list)
    request_edits = models.JSONField(default=list)
    sent_body = models.BinaryField(default=b"")
    sent_cuts = models.JSONField(default=list)
    response_headers = models.JSONField(default=dict)
    response_body = models.BinaryField(default=b"")
    response_cuts = models.JSONField(default=list)
    prompt_variables = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"payload of {self.pk}"


class KeptTurn(models.Model):
    """What a vendor wants back with a call, picture or text of its model's (see `dialects.kept_turns`), for other processes."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+", db_index=False)
    log = models.ForeignKey(RequestLog, models.CASCADE, related_name="kept_turns")
    key = models.CharField(max_length=128)
    state = models.JSONField()

    class Meta:
        indexes = [models.Index(fields=["workspace", "key"], name="kept_turn_by_key")]
        constraints = [models.UniqueConstraint(fields=["log", "key"], name="one_kept_turn_a_log")]

    def __str__(self) -> str:
        return f"{self.key} of {self.log_id}"


class SpanToSendQuerySet(models.QuerySet["SpanToSend"]):
    def oldest_first(self) -> Self:
        return self.order_by("pk")


class SpanToSend(models.Model):
    """A log of which the OpenTelemetry collector has not been told yet (`gateway.telemetry`)."""

    log = models.OneToOneField(RequestLog, models.CASCADE, primary_key=True, related_name="span_to_send")

    objects = SpanToSendQuerySet.as_manager()

    def __str__(self) -> str:
        return f"spans of {self.pk}"


class LogImageQuerySet(models.QuerySet["LogImage"]):
    def of_log(self, workspace: Workspace, log_id: uuid.UUID) -> Self:
        return self.filter(workspace=workspace, log_id=log_id).select_related("image")

    def to_snapshot(self) -> Self:
        return self.filter(snapshot="pending").order_by("id")


class LogImage(models.Model):
    """That a file stood in a request or an answer: where, how it was given, and whether a copy is kept.

    `inlined` is a link that the gateway opened itself, so that its copy is what the provider got.
    """

    class Direction(models.TextChoices):
        INPUT = "input"
        OUTPUT = "output"

    class Source(models.TextChoices):
        DATA = "data", "in the body"
        FILE = "file", "uploaded file"
        LINK = "link", "link"
        TEXT = "text", "in a text"
        ID = "id", "by file id"

    class Snapshot(models.TextChoices):
        PENDING = "pending"
        KEPT = "kept"
        FAILED = "failed"
        OFF = "off"

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="log_images")
    log = models.ForeignKey(RequestLog, models.CASCADE, related_name="images")
    image = models.ForeignKey(Image, models.PROTECT, null=True, related_name="log_images", db_index=False)
    direction = models.CharField(max_length=6, choices=Direction.choices)
    index = models.PositiveIntegerField()
    position = models.CharField(max_length=300, blank=True)
    source = models.CharField(max_length=4, choices=Source.choices)
    url = models.TextField(blank=True)
    declared_type = models.CharField(max_length=100, blank=True)
    detail = models.CharField(max_length=10, blank=True)
    tokens = models.PositiveIntegerField(null=True)
    inlined = models.BooleanField(default=False)
    snapshot = models.CharField(max_length=7, choices=Snapshot.choices, default=Snapshot.KEPT)
    snapshot_reason = models.CharField(max_length=200, blank=True)
    snapshot_at = models.DateTimeField(null=True)

    objects = LogImageQuerySet.as_manager()

    class Meta:
        ordering = ["direction", "index"]
        constraints = [models.UniqueConstraint(fields=["log", "direction", "index"], name="one_log_image_a_place")]
        indexes = [
            models.Index(fields=["snapshot"], condition=models.Q(snapshot="pending"), name="snapshot_to_take"),
            models.Index(fields=["image", "workspace", "log"], name="logs_of_a_picture"),
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.index} of {self.log_id}"

    @property
    def is_mistyped(self) -> bool:
        """Whether the caller said another type than the bytes are; `image/jpg` is a common way to say JPEG."""
        declared = self.declared_type.lower().replace("image/jpg", "image/jpeg")
        return bool(self.image and declared and declared != self.image.media_type)

    @property
    def media_type(self) -> str:
        """By the bytes, else what was said; empty where neither is known."""
        return self.image.media_type if self.image else self.declared_type

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture, as far as is known, and not a document, a sound or a film."""
        family = self.media_type.partition("/")
        return (
            not family[1]
            or family[0] == "image"
            or (self.media_type == "application/octet-stream" and bool(self.image))
        )

    @property
    def is_input(self) -> bool:
        return self.direction == self.Direction.INPUT

    @property
    def is_copy(self) -> bool:
        """Whether what is kept was fetched from a link, so that the model may have seen something else."""
        return self.source == self.Source.LINK and self.snapshot == self.Snapshot.KEPT

    @property
    def origin(self) -> str:
        """How it was given, in words."""
        link = "from a link, kept" if self.snapshot == self.Snapshot.KEPT else "from a link"
        if self.source == self.Source.TEXT and not self.is_input:
            return "in the answer's text"
        return link if self.source == self.Source.LINK else self.get_source_display()

    @property
    def types(self) -> str:
        """What it was said to be, and what its bytes are."""
        found = f"found {self.image.media_type}" if self.image else ""
        return f"declared {self.declared_type}, {found}" if self.declared_type else found

    @property
    def name(self) -> str:
        """How pages name it: `image 1` is the first that was sent, as in the bar of the payload."""
        return f"{'image' if self.is_input else 'answer'} {self.index + 1}"

    @property
    def number(self) -> str:
        """How URLs name it: `i0` is the first image that was sent, `o0` the first that came back."""
        return f"{self.direction[0]}{self.index}"


class Feedback(models.Model):
    """What somebody thinks of an answer: a score from -10 to 10, words, or both.

    An app may give it before the log is written: then `log` is found by its trace later (`feedback.link`).
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="feedback", db_index=False)
    log = models.ForeignKey(RequestLog, models.CASCADE, null=True, related_name="feedback")
    trace_id = models.CharField(max_length=128)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    api_key = models.ForeignKey(ApiKey, models.SET_NULL, null=True, related_name="+")
    value = models.SmallIntegerField(null=True)
    weight = models.FloatField(default=1.0)
    note = models.TextField(blank=True)
    metadata = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.value} for {self.log_id}"

    @property
    def has_value(self) -> bool:
        return self.value is not None

    @property
    def signed_value(self) -> str:
        return f"{self.value:+d}" if self.value else "0"

    @property
    def verdict(self) -> str:
        value = self.value or 0
        return "good" if value > 0 else "bad" if value < 0 else "even"


class SavedView(models.Model):
    """A search of the log browser under a name, shared by its workspace. `query` is the address after the `?`."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=3000, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="one_saved_view_a_name")]

    def __str__(self) -> str:
        return self.name


LOGS = Table(RequestLog, unique=["id"])
PAYLOADS = Table(Payload, unique=["log_id"])
LOG_IMAGES = Table(LogImage, unique=["log_id", "direction", "index"])
KEPT_TURNS = Table(KeptTurn)
SPANS_TO_SEND = Table(SpanToSend, unique=["log_id"])
