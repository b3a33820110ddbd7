"""The tables, by family, each with its queryset in the same file. Read from outside: every table, from here.

Imports nothing of the gateway but `ids`.
"""

from __future__ import annotations

from gateway.models.index import IndexBlock, IndexColumn, LogText, Unindexed
from gateway.models.keys import ApiKey, LoginLink, Membership, Revision, VirtualKey, Workspace
from gateway.models.logs import Feedback, KeptTurn, LogImage, Payload, RequestLog, SavedView
from gateway.models.pictures import Image
from gateway.models.prices import ModelPrice

__all__ = [
    "ApiKey",
    "Feedback",
    "Image",
    "IndexBlock",
    "IndexColumn",
    "KeptTurn",
    "LogImage",
    "LogText",
    "LoginLink",
    "Membership",
    "ModelPrice",
    "Payload",
    "RequestLog",
    "Revision",
    "SavedView",
    "Unindexed",
    "VirtualKey",
    "Workspace",
]
