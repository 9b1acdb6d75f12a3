from pathlib import Path

from django.db import migrations, models

TEXTS = Path(__file__).parent.parent / "legal"
PAGES = (("terms", "Terms"), ("privacy", "Privacy"), ("acceptable-use", "Acceptable use"))


def add_pages(apps, _schema_editor):
    page = apps.get_model("accounts", "LegalPage")
    for position, (slug, title) in enumerate(PAGES):
        text = (TEXTS / f"{slug}.md").read_text("utf-8")
        page.objects.create(slug=slug, title=title, text=text, position=position)


class Migration(migrations.Migration):
    """Terms, privacy and acceptable use, with a first text that staff edit."""

    dependencies = [("accounts", "0004_erasure")]

    operations = [
        migrations.CreateModel(
            name="LegalPage",
            fields=[
                ("slug", models.SlugField(max_length=40, primary_key=True, serialize=False)),
                ("title", models.CharField(max_length=80, verbose_name="title")),
                (
                    "text",
                    models.TextField(help_text="Markdown: headings, lists, links.", verbose_name="text"),
                ),
                ("is_shown", models.BooleanField(default=True, verbose_name="shown")),
                ("position", models.PositiveSmallIntegerField(default=0, verbose_name="position")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="last changed")),
            ],
            options={
                "verbose_name": "legal page",
                "verbose_name_plural": "legal pages",
                "ordering": ["position", "slug"],
            },
        ),
        migrations.RunPython(add_pages, migrations.RunPython.noop),
    ]
