"""What holders grant to others, kept as it was granted; requests name the licence; letters about reviews."""

import django.db.models.deletion
from django.db import migrations, models


_REFUSE = """
    CREATE TRIGGER catalog_licencegrant_immutable BEFORE UPDATE ON catalog_licencegrant
        FOR EACH ROW EXECUTE FUNCTION catalog_refuse_update();
"""
_ALLOW = "DROP TRIGGER catalog_licencegrant_immutable ON catalog_licencegrant;"


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0004_catalog_whole'),
        ('jobs', '0005_end_mail'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='catalogmodel',
            options={'ordering': ['-created_at'], 'permissions': [('feature_catalogmodel', 'Can feature models'), ('withdraw_catalogmodel', "Can withdraw anybody's model")], 'verbose_name': 'model', 'verbose_name_plural': 'models'},
        ),
        migrations.AlterModelOptions(
            name='modelreport',
            options={'ordering': ['created_at'], 'permissions': [('decide_modelreport', 'Can decide reports')], 'verbose_name': 'report', 'verbose_name_plural': 'reports'},
        ),
        migrations.AlterModelOptions(
            name='publicationrequest',
            options={'ordering': ['created_at'], 'permissions': [('answer_publicationrequest', 'Can answer requests for publication')], 'verbose_name': 'request for publication', 'verbose_name_plural': 'requests for publication'},
        ),
        migrations.AddField(
            model_name='licence',
            name='is_offered',
            field=models.BooleanField(default=True),
        ),
        migrations.AddField(
            model_name='publicationrequest',
            name='licence',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.licence', verbose_name='licence'),
        ),
        migrations.CreateModel(
            name='Letter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('to', models.EmailField(max_length=254)),
                ('subject', models.CharField(max_length=200)),
                ('body', models.TextField()),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('job', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='letter', to='jobs.job')),
            ],
        ),
        migrations.CreateModel(
            name='LicenceGrant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('granted_at', models.DateTimeField(auto_now_add=True)),
                ('licence', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.licence')),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='grants', to='catalog.source')),
            ],
            options={
                'ordering': ['-granted_at'],
            },
        ),
        migrations.RunSQL(_REFUSE, _ALLOW),
    ]
