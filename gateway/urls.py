"""All addresses: the logs API here, the pages in logsui."""

from __future__ import annotations

from django.urls import include, path

from gateway import feedback_api, logs_api

handler500 = logs_api.failed
urlpatterns = [
    path("v1/logs", logs_api.log_list),
    path("v1/logs/<uuid:log_id>", logs_api.log_detail, name="api-log"),
    path("v1/logs/<uuid:log_id>/images/<slug:number>", logs_api.log_image, name="api-image"),
    path("v1/logs/<uuid:log_id>/images/<slug:number>/thumbnail", logs_api.log_thumbnail, name="api-thumbnail"),
    path("v1/logs/<path:rest>", logs_api.no_such_path),
    path("v1/feedback", feedback_api.create),
    path("v1/feedback/<int:feedback_id>", feedback_api.update),
    path("", include("logsui.urls")),
]
