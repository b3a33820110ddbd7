from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def forget_totals(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Blocks sum up tokens and sizes, too: the worker gives each its totals anew."""
    apps.get_model("gateway", "IndexBlock").objects.update(totals=None)


class Migration(migrations.Migration):
    dependencies = [("gateway", "0014_login_tries")]
    operations = [migrations.RunPython(forget_totals, migrations.RunPython.noop)]
