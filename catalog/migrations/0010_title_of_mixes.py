"""What the model that is made of a mix is to be called."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0009_mixes")]
    operations = [
        migrations.AddField(
            model_name="modelmix",
            name="title",
            field=models.CharField(blank=True, max_length=120, verbose_name="name"),
        ),
    ]
