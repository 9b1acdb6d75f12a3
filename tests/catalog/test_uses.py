"""How often models were used."""

from catalog.models import CatalogModel, ModelRun, RunStep
from catalog.services.uses import recount_uses
from generation.models import Generation
from jobs.models import Job, Queue


def order(owner, **values):
    job = Job.objects.create(owner=owner, kind="generation.pictures", queue=Queue.GENERATE)
    return Generation.objects.create(owner=owner, job=job, settings={}, count=1, **values)


def test_orders_of_pictures_and_runs_are_counted(owner, version, publish):
    other = publish(owner, "other", seed=2)
    order(owner, model_version=version)
    order(owner, model_version=version, adapter=other)
    job = Job.objects.create(owner=owner, kind="catalog.run", queue=Queue.GENERATE)
    run = ModelRun.objects.create(owner=owner, job=job, title="Run", count=1)
    RunStep.objects.create(run=run, position=0, version=version, model_title="Faces", version_sha256="0" * 64)
    before = CatalogModel.objects.get(name="faces").updated_at
    assert recount_uses() == 2
    assert dict(CatalogModel.objects.values_list("name", "use_count")) == {"faces": 3, "other": 1}
    assert CatalogModel.objects.get(name="faces").updated_at == before
    assert recount_uses() == 0
    run.delete()
    Generation.objects.all().delete()
    assert recount_uses() == 2
    assert set(CatalogModel.objects.values_list("use_count", flat=True)) == {0}
