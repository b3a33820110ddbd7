from __future__ import annotations

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def create_words(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """The full-text index, in each database's own way."""
    if editor.connection.vendor == 'postgresql':
        editor.execute('ALTER TABLE gateway_logtext ADD COLUMN search tsvector')
        editor.execute('CREATE INDEX words_of_logs ON gateway_logtext USING gin (search)')
        # Bitmaps are compact already, and are read whole: leave the database's own compression out.
        editor.execute('ALTER TABLE gateway_indexcolumn ALTER COLUMN data SET STORAGE EXTERNAL')
        editor.execute('ALTER TABLE gateway_indexblock ALTER COLUMN ids SET STORAGE EXTERNAL')
    else:
        editor.execute(
            "CREATE VIRTUAL TABLE gateway_logwords USING fts5("
            "prompt, answer, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2')"
        )


def drop_words(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor != 'postgresql':
        editor.execute('DROP TABLE gateway_logwords')


def queue_all_logs(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    editor.execute(
        'INSERT INTO gateway_unindexed (log_id, workspace_id) SELECT id, workspace_id FROM gateway_requestlog'
    )


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0002_providers'),
    ]

    operations = [
        migrations.AddField(
            model_name='image',
            name='blank',
            field=models.BooleanField(null=True),
        ),
        migrations.AddField(
            model_name='image',
            name='colour_mode',
            field=models.CharField(blank=True, max_length=10),
        ),
        migrations.AddField(
            model_name='image',
            name='has_gps',
            field=models.BooleanField(null=True),
        ),
        migrations.AddField(
            model_name='image',
            name='truncated',
            field=models.BooleanField(null=True),
        ),
        migrations.AddField(
            model_name='image',
            name='hash_1',
            field=models.CharField(blank=True, editable=False, max_length=4),
        ),
        migrations.AddIndex(
            model_name='image',
            index=models.Index(fields=['hash_1'], name='look_alike_1'),
        ),
        migrations.AddField(
            model_name='image',
            name='hash_2',
            field=models.CharField(blank=True, editable=False, max_length=4),
        ),
        migrations.AddIndex(
            model_name='image',
            index=models.Index(fields=['hash_2'], name='look_alike_2'),
        ),
        migrations.AddField(
            model_name='image',
            name='hash_3',
            field=models.CharField(blank=True, editable=False, max_length=4),
        ),
        migrations.AddIndex(
            model_name='image',
            index=models.Index(fields=['hash_3'], name='look_alike_3'),
        ),
        migrations.AddField(
            model_name='image',
            name='hash_4',
            field=models.CharField(blank=True, editable=False, max_length=4),
        ),
        migrations.AddIndex(
            model_name='image',
            index=models.Index(fields=['hash_4'], name='look_alike_4'),
        ),
        migrations.CreateModel(
            name='IndexBlock',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('first', models.UUIDField()),
                ('last', models.UUIDField()),
                ('size', models.PositiveIntegerField()),
                ('version', models.PositiveIntegerField(default=0)),
                ('ids', models.BinaryField()),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='index_blocks', to='gateway.workspace')),
            ],
        ),
        migrations.CreateModel(
            name='IndexColumn',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200)),
                ('distinct', models.PositiveIntegerField()),
                ('data', models.BinaryField()),
                ('block', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='columns', to='gateway.indexblock')),
            ],
        ),
        migrations.CreateModel(
            name='LogText',
            fields=[
                ('number', models.BigIntegerField(primary_key=True, serialize=False)),
                ('log_id', models.UUIDField()),
                ('workspace', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='gateway.workspace')),
            ],
        ),
        migrations.CreateModel(
            name='Unindexed',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('log', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='unindexed', to='gateway.requestlog')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='gateway.workspace')),
            ],
        ),
        migrations.AddIndex(
            model_name='indexblock',
            index=models.Index(fields=['workspace', 'first'], name='blocks_in_order'),
        ),
        migrations.AddConstraint(
            model_name='indexcolumn',
            constraint=models.UniqueConstraint(fields=('block', 'name'), name='one_column_a_facet'),
        ),
        migrations.RunPython(create_words, drop_words),
        migrations.RunPython(queue_all_logs, migrations.RunPython.noop),
    ]
