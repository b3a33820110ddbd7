"""What a change of the tables must be, so that processes of the release before go on writing while it is done."""

from __future__ import annotations

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader

# Before these no two releases ran beside each other.
FIRST = {"gateway": "0009", "prompts": "0003"}
BREAKING = (migrations.RemoveField, migrations.RenameField, migrations.DeleteModel, migrations.RenameModel)
LATER = [
    migration
    for (app, name), migration in sorted(MigrationLoader(None).disk_migrations.items())
    if app in FIRST and name >= FIRST[app]
]


@pytest.mark.parametrize("migration", LATER, ids=str)
def test_old_code_can_go_on_writing(migration: migrations.Migration) -> None:
    """A new column is filled by the database; what old code names stays until the release after."""
    for operation in migration.operations:
        assert not isinstance(operation, BREAKING), operation
        if isinstance(operation, migrations.AddField):
            field = operation.field
            is_filled = field.null or field.has_db_default() or isinstance(field, models.ManyToManyField)
            assert is_filled, f"{operation.model_name}.{operation.name} needs null=True or db_default"
