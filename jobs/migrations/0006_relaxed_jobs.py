from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Jobs that are done for nothing stand in a line of their own."""

    dependencies = [("jobs", "0005_end_mail")]

    operations = [
        migrations.AddField(
            model_name="job", name="is_relaxed", field=models.BooleanField(default=False)
        ),
        migrations.RemoveIndex(model_name="job", name="jobs_owner_turn"),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                fields=["owner", "queue", "is_relaxed", "-turn"],
                condition=~Q(state="canceled"),
                name="jobs_owner_turn",
            ),
        ),
    ]
