"""Adds to a database what its migrations say that it has, and it has not.

Some migrations of 0.1 were edited after they were released: a database that had run them lacks what was added. Tables,
columns, indexes and constraints that are missing are made; nothing is ever changed or taken away.
"""

from __future__ import annotations

import logging

from django.db import connection, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.executor import MigrationExecutor

log = logging.getLogger(__name__)

OURS = ("gateway", "prompts")


def mend(executor: MigrationExecutor) -> None:
    """Before further migrations run: they take for granted what those before them made."""
    done = [node for node in executor.loader.applied_migrations if node[0] in OURS]
    if not done:
        return
    state = executor.loader.project_state([node for node in done if node in executor.loader.graph.nodes])
    found = [model for model in state.apps.get_models() if model._meta.app_label in OURS]
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
    with connection.schema_editor() as editor:
        for model in found:
            if model._meta.db_table not in tables:
                log.warning("the table %s is missing and is made", model._meta.db_table)
                editor.create_model(model)
            else:
                _mend_table(editor, model)


def _mend_table(editor: BaseDatabaseSchemaEditor, model: type[models.Model]) -> None:
    table = model._meta.db_table
    with connection.cursor() as cursor:
        columns = {column.name for column in connection.introspection.get_table_description(cursor, table)}
    for field in model._meta.local_concrete_fields:
        if field.column not in columns:
            log.warning("the column %s.%s is missing and is made", table, field.column)
            _add(editor, model, field)
    with connection.cursor() as cursor:  # now: SQLite makes a table anew for a column, with all that belongs to it
        named = set(connection.introspection.get_constraints(cursor, table))
    for index in model._meta.indexes:
        if index.name not in named:
            log.warning("the index %s is missing and is made", index.name)
            editor.add_index(model, index)
    for constraint in model._meta.constraints:
        if constraint.name not in named:
            log.warning("the constraint %s is missing and is made", constraint.name)
            editor.add_constraint(model, constraint)


def _add(editor: BaseDatabaseSchemaEditor, model: type[models.Model], field: models.Field) -> None:  # type: ignore[type-arg]
    if not field.null and not field.has_default() and isinstance(field, models.IntegerField):
        field.default = 0
    editor.add_field(model, field)
