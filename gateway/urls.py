"""All addresses: the API here, the pages in logsui and prompts."""

from __future__ import annotations

from django.urls import include, path

from gateway import feedback_api, labels_api, logs_api, prompts_api

handler500 = logs_api.failed
urlpatterns = [
    path("v1/logs", logs_api.log_list),
    path("v1/logs/<uuid:log_id>", logs_api.log_detail, name="api-log"),
    path("v1/logs/<uuid:log_id>/images/<slug:number>", logs_api.log_image, name="api-image"),
    path("v1/logs/<uuid:log_id>/images/<slug:number>/thumbnail", logs_api.log_thumbnail, name="api-thumbnail"),
    path("v1/logs/<path:rest>", logs_api.no_such_path),
    path("v1/feedback", feedback_api.create),
    path("v1/feedback/<int:feedback_id>", feedback_api.update),
    *(
        path(f"v1/prompts{below}{rest}", view, {"kind": kind})
        for below, kind in (("/partials", "partial"), ("", "prompt"))
        for rest, view in (
            ("", prompts_api.prompt_list),
            ("/<str:name>", prompts_api.prompt_detail),
            ("/<str:name>/makeDefault", prompts_api.make_default),
            ("/<str:name>/versions", prompts_api.versions),
            ("/<str:name>/versions/<str:version>", prompts_api.prompt_version),
        )
    ),
    path("v1/labels", labels_api.label_list),
    path("v1/labels/<str:name>", labels_api.label_detail),
    path("v1/collections", labels_api.collection_list),
    path("v1/collections/<path:path>", labels_api.collection_detail),
    path("v1/<path:rest>", prompts_api.no_such_path),
    path("w/<slug:slug>/", include("prompts.urls")),
    path("", include("logsui.urls")),
]
