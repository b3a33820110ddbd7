"""All addresses: the API here, the pages in logsui and prompts."""

from __future__ import annotations

from django.urls import include, path

from gateway.api import access, feedback, labels, logs, metrics, prompts

handler500 = access.failed
urlpatterns = [
    path("metrics", metrics.metrics),
    path("v1/logs", logs.log_list),
    path("v1/logs/delete", logs.delete_found),
    path("v1/logs/deletions/<uuid:id>", logs.deletion_detail),
    path("v1/logs/<uuid:log_id>", access.by_method(GET=logs.log_detail, DELETE=logs.log_delete), name="api-log"),
    path("v1/logs/<uuid:log_id>/images/<slug:number>", logs.log_image, name="api-image"),
    path("v1/logs/<uuid:log_id>/images/<slug:number>/thumbnail", logs.log_thumbnail, name="api-thumbnail"),
    path("v1/logs/<path:rest>", logs.no_such_path),
    path("v1/feedback", feedback.create),
    path("v1/feedback/<int:feedback_id>", feedback.update),
    *(
        path(f"v1/prompts{below}{rest}", view, {"kind": kind})
        for below, kind in (("/partials", "partial"), ("", "prompt"))
        for rest, view in (
            ("", prompts.prompt_list),
            ("/<str:name>", prompts.prompt_detail),
            ("/<str:name>/makeDefault", prompts.make_default),
            ("/<str:name>/versions", prompts.versions),
            ("/<str:name>/versions/<str:version>", prompts.prompt_version),
        )
    ),
    path("v1/labels", labels.label_list),
    path("v1/labels/<str:name>", labels.label_detail),
    path("v1/collections", labels.collection_list),
    path("v1/collections/<path:path>", labels.collection_detail),
    path("v1/<path:rest>", prompts.no_such_path),
    path("w/<slug:slug>/", include("prompts.urls")),
    path("", include("logsui.urls")),
]
