"""The styles that a new installation offers; an admin edits the rows."""

from django.db import migrations

# For the starter base, in the words of the captions that it learned from.
STARTER = [
    ("emoji", "Emoji", "{prompt}, emoji"),
    ("blob-emoji", "Blob emoji", "{prompt}, blob emoji"),
    ("sticker", "Sticker", "{prompt} on a white background, emoji"),
    ("line-drawing", "Line drawing", "{prompt}, line drawing"),
    ("icon", "Icon", "{prompt}, regular icon"),
    ("thin-icon", "Thin icon", "{prompt}, thin icon"),
    ("bold-icon", "Bold icon", "{prompt}, bold icon"),
    ("solid-icon", "Solid icon", "{prompt}, solid icon"),
]


def add_rows(apps, schema_editor):
    styles = apps.get_model("generation", "PromptStyle")
    for position, (slug, title, template) in enumerate(STARTER, start=1):
        values = {"title": title, "template": template, "base_family": "starter", "position": position}
        styles.objects.get_or_create(slug=slug, defaults=values)


class Migration(migrations.Migration):
    dependencies = [("generation", "0002_text_to_image")]

    operations = [migrations.RunPython(add_rows, migrations.RunPython.noop)]
