"""The tables, by family, each with its queryset in the same file. Read from outside: every table, from here. Those that traffic writes many
rows of have a `Table` beside.

Imports nothing of the gateway but `ids` and `content`.
"""

from __future__ import annotations

from gateway.models.index import LOG_TEXTS, UNINDEXED, IndexBlock, IndexColumn, LogText, Unindexed
from gateway.models.keys import (
    ApiKey,
    Identity,
    Invitation,
    LoginLink,
    LoginTries,
    Membership,
    Revision,
    VirtualKey,
    Workspace,
)
from gateway.models.logs import (
    KEPT_TURNS,
    LOG_IMAGES,
    LOGS,
    PAYLOADS,
    SPANS_TO_SEND,
    Feedback,
    KeptTurn,
    LogImage,
    Payload,
    RequestLog,
    SavedView,
    SpanToSend,
)
from gateway.models.pictures import IMAGES, Image
from gateway.models.prices import ModelPrice
from gateway.models.retention import (
    AuditEntry,
    Deletion,
    KeptLog,
    Part,
    PictureToGo,
    Removal,
    RetentionRule,
    Tombstone,
)

__all__ = [
    "IMAGES",
    "KEPT_TURNS",
    "LOGS",
    "LOG_IMAGES",
    "LOG_TEXTS",
    "PAYLOADS",
    "SPANS_TO_SEND",
    "UNINDEXED",
    "ApiKey",
    "AuditEntry",
    "Deletion",
    "Feedback",
    "Identity",
    "Image",
    "IndexBlock",
    "IndexColumn",
    "Invitation",
    "KeptLog",
    "KeptTurn",
    "LogImage",
    "LogText",
    "LoginLink",
    "LoginTries",
    "Membership",
    "ModelPrice",
    "Part",
    "Payload",
    "PictureToGo",
    "Removal",
    "RequestLog",
    "RetentionRule",
    "Revision",
    "SavedView",
    "SpanToSend",
    "Tombstone",
    "Unindexed",
    "VirtualKey",
    "Workspace",
]
