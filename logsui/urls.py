"""Every page. A workspace's pages carry its slug, so that any view can be sent to a colleague."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, path

from logsui import account, compare, detail, export, keys, logs, opinions, prompt_runs, replay, suggest

urlpatterns: list[URLPattern] = [
    path("", account.home, name="home"),
    path("login", account.login_page, name="login"),
    path("login/<str:token>", account.login_link, name="login-link"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("account", account.account_page, name="account"),
    path("account/theme", account.set_theme, name="theme"),
    path("w/<slug:slug>/logs", logs.log_list, name="logs"),
    path("w/<slug:slug>/logs/new", logs.new_rows, name="new-rows"),
    path("w/<slug:slug>/logs/chart", logs.chart, name="chart"),
    path("w/<slug:slug>/logs/chart/table", logs.chart_table, name="chart-table"),
    path("w/<slug:slug>/logs/export/progress/<slug:token>", export.progress, name="export-progress"),
    path("w/<slug:slug>/logs/export/<slug:kind>", export.export, name="export"),
    path("w/<slug:slug>/logs/views", opinions.save_view, name="save-view"),
    path("w/<slug:slug>/logs/views/<int:view_id>/remove", opinions.remove_view, name="remove-view"),
    path("w/<slug:slug>/logs/<uuid:log_id>/feedback", opinions.give_feedback, name="feedback"),
    path("w/<slug:slug>/logs/suggestions", suggest.suggestions, name="suggestions"),
    path("w/<slug:slug>/logs/narrow", logs.narrow, name="narrow"),
    path("w/<slug:slug>/logs/arrange", logs.arrange, name="arrange"),
    path("w/<slug:slug>/logs/<uuid:log_id>", detail.log_detail, name="log"),
    path("w/<slug:slug>/logs/<uuid:log_id>/folder.zip", detail.log_folder, name="log-folder"),
    path("w/<slug:slug>/logs/<uuid:log_id>/replay", replay.replay_page, name="replay"),
    path("w/<slug:slug>/logs/<uuid:log_id>/replay/body", replay.replay_body, name="replay-body"),
    path("w/<slug:slug>/logs/<uuid:log_id>/prompt", prompt_runs.from_log, name="log-as-prompt"),
    path("w/<slug:slug>/diff", compare.compare_page, name="compare"),
    path("w/<slug:slug>/logs/<uuid:log_id>/json/<str:which>", detail.json_branch, name="json-branch"),
    path("w/<slug:slug>/logs/<uuid:log_id>/body/<str:which>", detail.log_body, name="log-body"),
    path("w/<slug:slug>/logs/<uuid:log_id>/images/<slug:number>", detail.image, name="image"),
    path("w/<slug:slug>/logs/<uuid:log_id>/images/<slug:number>/<int:size>", detail.thumbnail, name="thumbnail"),
    path("w/<slug:slug>/keys", keys.key_page, name="keys"),
    path("w/<slug:slug>/keys/create", keys.create_key, name="create-key"),
    path("w/<slug:slug>/keys/<int:key_id>/revoke", keys.revoke_key, name="revoke-key"),
    path("w/<slug:slug>/virtual-keys/fields", keys.provider_fields, name="provider-fields"),
    path("w/<slug:slug>/virtual-keys/create", keys.create_virtual, name="create-virtual-key"),
    path("w/<slug:slug>/virtual-keys/<int:key_id>/revoke", keys.revoke_virtual, name="revoke-virtual-key"),
    path("w/<slug:slug>/virtual-keys/<int:key_id>/test", keys.test_virtual, name="test-virtual-key"),
    path("w/<slug:slug>/prompt-runs", prompt_runs.run, name="run-prompt"),
    path("w/<slug:slug>/prompt-uses/<uuid:id>", prompt_runs.uses, name="prompt-uses"),
    path("w/<slug:slug>/pictures", prompt_runs.upload, name="upload-picture"),
    path("w/<slug:slug>/pictures/<slug:sha256>", prompt_runs.picture, name="picture"),
    path("w/<slug:slug>/pictures/<slug:sha256>/256", prompt_runs.picture_thumbnail, name="picture-thumbnail"),
    path("w/<slug:slug>/models", prompt_runs.model_options, name="model-options"),
    path("w/<slug:slug>/connect", keys.connect, name="connect"),
]
