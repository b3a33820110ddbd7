"""Every page. A workspace's pages carry its slug, so that any view can be sent to a colleague."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, path

from logsui.account import audit, connect, keys, login, people, prices, storage
from logsui.logs import deletion, export, first_minutes, headline, log_list, saved_views, suggestions
from logsui.pictures import repeated
from logsui.prompts import picture_picker, try_out, usage
from logsui.request import compare, detail, feedback, replay
from logsui.sets import comparison, run_pages, set_pages

urlpatterns: list[URLPattern] = [
    path("", login.home, name="home"),
    path("login", login.login_page, name="login"),
    path("login/<str:token>", login.login_link, name="login-link"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("account", login.account_page, name="account"),
    path("account/theme", login.set_theme, name="theme"),
    path("account/workspaces", people.create_workspace, name="create-workspace"),
    path("join/<str:token>", people.join, name="join"),
    path("w/<slug:slug>/logs", log_list.log_list, name="logs"),
    path("w/<slug:slug>/logs/new", log_list.new_rows, name="new-rows"),
    path("w/<slug:slug>/logs/chart", log_list.chart_alone, name="chart"),
    path("w/<slug:slug>/logs/chart/table", log_list.chart_table, name="chart-table"),
    path("w/<slug:slug>/logs/first-call", first_minutes.first_call, name="first-call"),
    path("w/<slug:slug>/logs/samples", first_minutes.sample_logs, name="sample-logs"),
    path("w/<slug:slug>/logs/by/<str:facet>", headline.by_facet, name="by-facet"),
    path("w/<slug:slug>/logs/export/progress/<slug:token>", export.progress, name="export-progress"),
    path("w/<slug:slug>/logs/export/<slug:kind>", export.export, name="export"),
    path("w/<slug:slug>/logs/delete", deletion.delete_found, name="delete-found"),
    path("w/<slug:slug>/logs/<uuid:log_id>/delete", deletion.delete_log, name="delete-log"),
    path("w/<slug:slug>/logs/<uuid:log_id>/keep", deletion.keep_log, name="keep-log"),
    path("w/<slug:slug>/logs/views", saved_views.save_view, name="save-view"),
    path("w/<slug:slug>/logs/views/<int:view_id>/remove", saved_views.remove_view, name="remove-view"),
    path("w/<slug:slug>/logs/<uuid:log_id>/feedback", feedback.give_feedback, name="feedback"),
    path("w/<slug:slug>/logs/suggestions", suggestions.suggestions, name="suggestions"),
    path("w/<slug:slug>/logs/range", log_list.filter_range, name="filter-range"),
    path("w/<slug:slug>/logs/display", log_list.set_display, name="display"),
    path("w/<slug:slug>/logs/<uuid:log_id>", detail.log_detail, name="log"),
    path("w/<slug:slug>/logs/<uuid:log_id>/again/<slug:program>", detail.log_program, name="log-program"),
    path("w/<slug:slug>/logs/<uuid:log_id>/folder.zip", detail.log_folder, name="log-folder"),
    path("w/<slug:slug>/logs/<uuid:log_id>/replay", replay.replay_page, name="replay"),
    path("w/<slug:slug>/logs/<uuid:log_id>/replay/body", replay.replay_body, name="replay-body"),
    path("w/<slug:slug>/logs/<uuid:log_id>/prompt", try_out.from_log, name="log-as-prompt"),
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
    path("w/<slug:slug>/prices", prices.price_page, name="prices"),
    path("w/<slug:slug>/prices/set", prices.set_price, name="set-price"),
    path("w/<slug:slug>/prices/apply", prices.apply_prices, name="apply-prices"),
    path("w/<slug:slug>/prices/<int:price_id>/remove", prices.remove_price, name="remove-price"),
    path("w/<slug:slug>/people", people.people_page, name="people"),
    path("w/<slug:slug>/people/invite", people.invite, name="invite"),
    path("w/<slug:slug>/people/invitations/<int:invitation_id>/withdraw", people.withdraw, name="withdraw"),
    path("w/<slug:slug>/people/<int:member_id>/role", people.set_role, name="set-role"),
    path("w/<slug:slug>/people/<int:member_id>/remove", people.remove, name="remove-member"),
    path("w/<slug:slug>/audit", audit.audit_page, name="audit"),
    path("w/<slug:slug>/audit.csv", audit.export_audit, name="export-audit"),
    path("w/<slug:slug>/storage", storage.storage_page, name="storage"),
    path("w/<slug:slug>/storage/rule", storage.set_rule, name="set-rule"),
    path("w/<slug:slug>/prompt-runs", try_out.run, name="run-prompt"),
    path("w/<slug:slug>/prompt-uses", usage.prompts_used, name="prompts-used"),
    path("w/<slug:slug>/prompt-uses/<uuid:id>", usage.uses, name="prompt-uses"),
    path("w/<slug:slug>/pictures", try_out.upload, name="upload-picture"),
    path("w/<slug:slug>/pictures/sent", repeated.picture_list, name="pictures"),
    path("w/<slug:slug>/pictures/<slug:sha256>/answers", repeated.picture_answers, name="picture-answers"),
    path("w/<slug:slug>/pictures/of-logs", picture_picker.pick_picture, name="pick-picture"),
    path("w/<slug:slug>/pictures/<slug:sha256>", try_out.picture, name="picture"),
    path("w/<slug:slug>/pictures/<slug:sha256>/256", try_out.picture_thumbnail, name="picture-thumbnail"),
    path("w/<slug:slug>/models", try_out.model_options, name="model-options"),
    path("w/<slug:slug>/sets", set_pages.set_list, name="sets"),
    path("w/<slug:slug>/sets/create", set_pages.create_set, name="create-set"),
    path("w/<slug:slug>/sets/<uuid:id>", set_pages.set_page, name="set"),
    path("w/<slug:slug>/sets/<uuid:id>/rename", set_pages.rename_set, name="rename-set"),
    path("w/<slug:slug>/sets/<uuid:id>/delete", set_pages.delete_set, name="delete-set"),
    path("w/<slug:slug>/sets/<uuid:id>/columns", set_pages.change_columns, name="set-columns"),
    path("w/<slug:slug>/sets/<uuid:id>/cases", set_pages.add_case, name="add-case"),
    path("w/<slug:slug>/sets/<uuid:id>/cases/<int:case_id>", set_pages.edit_case, name="case"),
    path("w/<slug:slug>/sets/<uuid:id>/cases/<int:case_id>/remove", set_pages.remove_case, name="remove-case"),
    path("w/<slug:slug>/sets/<uuid:id>/import", set_pages.import_cases, name="import-cases"),
    path("w/<slug:slug>/sets/<uuid:id>/export/<slug:kind>", set_pages.export_set, name="export-set"),
    path("w/<slug:slug>/sets/<uuid:id>/run", run_pages.start_run, name="start-run"),
    path("w/<slug:slug>/runs/<uuid:id>", run_pages.run_page, name="run"),
    path("w/<slug:slug>/runs/<uuid:id>/news", run_pages.run_news, name="run-news"),
    path("w/<slug:slug>/runs/<uuid:id>/stop", run_pages.stop_run, name="stop-run"),
    path("w/<slug:slug>/runs/<uuid:id>/resume", run_pages.resume_run, name="resume-run"),
    path("w/<slug:slug>/runs/<uuid:id>/delete", run_pages.delete_run, name="delete-run"),
    path("w/<slug:slug>/runs/<uuid:id>/cells/<int:cell_id>", run_pages.mark_cell, name="mark-cell"),
    path("w/<slug:slug>/runs/<uuid:id>/export", run_pages.export_run, name="export-run"),
    path("w/<slug:slug>/comparisons/new", comparison.new_comparison, name="new-comparison"),
    path("w/<slug:slug>/comparisons/start", comparison.start_comparison, name="start-comparison"),
    path("w/<slug:slug>/connect", connect.connect_page, name="connect"),
]

if settings.OIDC_ISSUER:  # its library is an extra
    from logsui.account.single_sign_on import begin, finish

    urlpatterns += [
        path("oidc/login", begin, name="oidc-login"),
        path("oidc/callback", finish, name="oidc-callback"),
    ]
