"""How long trainings take: probed, learned from trainings, and told before and while they run."""

import itertools
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from engines.stylegan.config import PRESETS
from engines.stylegan.speed import Speed
from jobs import machines
from jobs.claims import claim_job
from jobs.models import Machine
from jobs.testing import run_pending
from training import pace, probes, services
from training.ai_speeds import missing_bases, probe_key
from training.ai_speeds import refine as refine_ai
from training.ai_speeds import speed_of as ai_speed_of
from training.estimates import estimate_rest, estimate_training, usual_times
from training.models import AITraining, DatasetVersion, Experiment, Purpose, TrainingSpeed
from training.pace import Pace, Plan, Taken
from training.probes import Probing, missing_presets
from training.speeds import MachinesHere, Sizes, megapixels_of, refine, seconds_of, speed_of, store_probe
from training.starts import find_starts

PLAIN = Speed(start=5.0, step=0.25, snapshot=1.0, picture=0.02)
CPU64 = PRESETS["cpu64"]


@pytest.fixture
def machine(db, settings) -> Machine:
    settings.JOBS_DEVICE = "cpu"
    return machines.register()


@pytest.fixture
def measured(machine) -> Machine:
    """This machine, its speed with the small preset known."""
    store_probe(machine=machine, preset="cpu64", threads=threads_of(machine), speed=PLAIN)
    return machine


def threads_of(machine: Machine) -> int:
    return max(1, machine.cores - 1)


def planned(steps: int = 1000, preset: str = "cpu64", **settings: object) -> Experiment:
    return Experiment(preset=preset, resolution=64, steps=steps, settings=settings)


class TestEstimates:
    def test_not_measured_yet_is_said(self, machine, owner):
        assert estimate_training(user=owner, planned=planned()).seconds is None

    def test_every_starting_point_says_how_long_its_usual_steps_take(
        self, measured, owner, django_assert_num_queries
    ):
        starts = find_starts(owner)
        with django_assert_num_queries(1):
            times = {start.preset_name: seconds for start, seconds in usual_times(starts, MachinesHere())}
        quick = estimate_training(user=owner, planned=planned(CPU64.scratch_steps)).seconds
        assert times["cpu64"] == pytest.approx(quick)
        assert times["cpu64-hq"] is None  # nobody has measured it

    def test_start_steps_snapshots_and_pictures_add_up(self, measured, owner):
        seconds = estimate_training(user=owner, planned=planned(1000)).seconds
        # Without pictures there are no figures: a snapshot then takes 15 % of one that has them.
        assert seconds == pytest.approx(5 + 1000 * 0.25 + 4 * 0.15)
        more = seconds_of(planned(1000), PLAIN, pictures=600, megapixels=30.0)
        assert more == pytest.approx(5 + 250 + 4 + 0.85 + 30 * 0.02)

    def test_they_stand_in_house_mode_too(self, measured, owner, settings):
        settings.CREDITS_ENABLED = False
        estimate = estimate_training(user=owner, planned=planned())
        assert estimate.cost is None
        assert estimate.seconds > 250

    def test_a_dataset_counts_by_its_pixels(self, measured, dataset, owner):
        assert megapixels_of(dataset) == pytest.approx(50 * 0.25, rel=0.1), "small ones are work too"
        dataset.images.update(width=2000, height=1500)
        assert megapixels_of(dataset) == pytest.approx(50 * 3.25)
        estimate = estimate_training(user=owner, planned=planned(), dataset=dataset)
        bare = estimate_training(user=owner, planned=planned())
        assert estimate.seconds - bare.seconds > 150 * PLAIN.picture

    def test_the_fastest_machine_that_is_here_counts(self, measured):
        now = timezone.now()
        common = {
            "device": "cuda",
            "device_name": "Card",
            "device_bytes": 80 << 30,
            "memory_bytes": 1,
            "cores": 8,
        }
        fast = Machine.objects.create(
            id="00000000-0000-0000-0000-000000000001", host="fast", seen_at=now, **common
        )
        store_probe(
            machine=fast, preset="cpu64", threads=7, speed=Speed(start=9, step=0.1, snapshot=1, picture=0)
        )
        assert speed_of(planned()).step == 0.1
        Machine.objects.filter(pk=fast.pk).update(is_draining=True)
        assert speed_of(planned()).step == 0.25
        Machine.objects.filter(pk=fast.pk).update(is_draining=False, seen_at=now - timedelta(minutes=5))
        assert speed_of(planned()).step == 0.25

    def test_a_machine_that_cannot_hold_it_does_not_count(self, measured):
        store_probe(machine=measured, preset="gpu1024", threads=threads_of(measured), speed=PLAIN)
        Machine.objects.update(device_bytes=4 << 30)
        assert speed_of(planned(preset="gpu1024")) is None
        assert speed_of(planned()) is not None

    def test_other_sizes_are_scaled_until_they_are_measured(self, measured, starting_point, owner):
        tiny = Experiment(preset="cpu64", starting_point=starting_point, steps=100, settings={})
        assert speed_of(tiny).step < PLAIN.step / 10
        refine(
            tiny, machine=measured, threads=threads_of(measured), taken=Taken(steps=100, start=3.0, step=0.05)
        )
        assert speed_of(tiny).step == pytest.approx(0.05)
        assert speed_of(planned()).step == PLAIN.step
        assert len(Sizes.of(tiny).key) <= 40

    def test_settings_scale_the_step(self, measured):
        assert speed_of(planned(batch=32)).step == pytest.approx(0.5)

    def test_what_is_left_of_a_stopped_one(self, measured, experiment):
        experiment.job.step = 4
        left = estimate_rest(experiment).seconds
        experiment.job.step = 0
        assert left < estimate_rest(experiment).seconds


class TestLearning:
    def taken(self, **values: float) -> Taken:
        return Taken(**{"steps": 500, "start": 5.0, "step": 0.5, "snapshot": 1.0, "picture": 0.02, **values})

    def learn(self, machine: Machine, **values: float) -> TrainingSpeed:
        refine(planned(), machine=machine, threads=threads_of(machine), taken=self.taken(**values))
        return TrainingSpeed.objects.get(preset="cpu64")

    def test_the_newest_training_moves_what_is_known(self, measured):
        assert self.learn(measured).step_seconds == pytest.approx(0.25 + 0.3 * 0.25)
        for _training in range(10):
            row = self.learn(measured)
        assert row.step_seconds == pytest.approx(0.5, rel=0.05)

    def test_a_short_one_moves_it_less_and_a_very_short_one_not_at_all(self, measured):
        assert self.learn(measured, steps=31).step_seconds == 0.25
        assert self.learn(measured, steps=50).step_seconds == pytest.approx(0.25 + 0.15 * 0.25)

    def test_parts_that_it_did_not_have_stay_as_they_were(self, measured):
        row = self.learn(measured, snapshot=None, picture=None)
        assert (row.snapshot_seconds, row.picture_seconds) == (1.0, 0.02)

    def test_without_a_probe_a_training_is_the_first_measurement(self, machine):
        assert self.learn(machine).step_seconds == 0.5

    def test_a_probe_does_not_undo_what_trainings_taught(self, measured):
        store_probe(
            machine=measured, preset="cpu64", threads=threads_of(measured), speed=self.taken().completed(None)
        )
        assert TrainingSpeed.objects.get().step_seconds == 0.25

    def test_a_real_training_teaches(self, machine, dataset, starting_point, owner):
        services.start_experiment(
            owner=owner, dataset=dataset, starting_point=starting_point, steps=40, settings={"batch": 4}
        )
        run_pending("train")
        row = TrainingSpeed.objects.get()
        assert row.preset.startswith("cpu64/")
        assert row.threads == 1
        assert min(row.start_seconds, row.step_seconds, row.snapshot_seconds, row.picture_seconds) > 0


class Clock:
    """A clock that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(pace.time, "monotonic", lambda: self.now)

    def __call__(self, seconds: float) -> None:
        self.now += seconds


class TestPace:
    @pytest.fixture
    def clock(self, monkeypatch) -> Clock:
        return Clock(monkeypatch)

    def make(self, *, expected: Speed | None = PLAIN, done: int = 0) -> Pace:
        plan = Plan(steps=500, snapshot_every=250, first=1.85)
        return Pace(plan, megapixels=10.0, done=done, expected=expected, waited=2.0)

    @pytest.mark.parametrize(
        ("steps", "done", "count"), [(500, 0, 2), (501, 0, 3), (500, 250, 1), (500, 499, 1)]
    )
    def test_planned_snapshots_are_counted(self, steps, done, count):
        plan = Plan(steps=steps, snapshot_every=250, first=1.85)
        assert plan.worth_after(done) == pytest.approx(count + (0.85 if done == 0 else 0))

    def test_it_takes_an_attempt_apart(self, clock):
        watch = self.make()
        clock(1.0)
        watch.note_loaded()
        for done in range(1, 11):
            clock(0.1)
            watch.note_picture(done, 10)
        clock(3.0)
        watch.note_step()
        for _step in range(249):
            clock(0.2)
            watch.note_step()
        clock(1.85)
        watch.note_snapshot(is_planned=True)
        clock(0.2)
        watch.note_step()
        clock(0.7)
        watch.note_snapshot(is_planned=False)
        taken = watch.taken()
        assert taken.steps == 250
        assert taken.step == pytest.approx(0.2)
        assert taken.start == pytest.approx(2.0 + 1.0 + 3.0 - 0.2)
        assert taken.picture == pytest.approx(0.1)
        assert taken.snapshot == pytest.approx(1.0), "the first one is known to take longer"

    def test_what_is_left_is_told_from_the_first_moment_and_does_not_jump(self, clock):
        watch = self.make()
        assert watch.seconds_left(0) == pytest.approx(5 + 500 * 0.25 + 2 + 0.85)
        clock(4.0)
        watch.note_step()
        told = []
        for step in range(2, 251):
            # Lazy regularisation makes every sixteenth step twice as long.
            clock(0.4 if step % 16 == 0 else 0.2)
            watch.note_step()
            told.append(watch.seconds_left(step))
        real = 250 * (0.2 + 0.2 / 16) + 1
        assert told[-1] == pytest.approx(real, rel=0.05)
        falls = [before - after for before, after in itertools.pairwise(told)]
        assert max(map(abs, falls)) < 0.03 * told[0]

    def test_without_expectations_it_is_told_from_the_second_step_on(self, clock):
        watch = self.make(expected=None)
        clock(9.0)
        watch.note_step()
        assert watch.seconds_left(1) is None
        clock(0.2)
        watch.note_step()
        assert watch.seconds_left(2) == pytest.approx(498 * 0.2)

    def test_it_follows_a_machine_that_has_become_slower(self, clock):
        watch = self.make()
        for _step in range(100):
            clock(0.25)
            watch.note_step()
        for _step in range(200):
            clock(0.5)
            watch.note_step()
        assert watch.seconds_left(300) == pytest.approx(200 * 0.5 + 1, rel=0.1)


class TestProbing:
    @pytest.fixture(autouse=True)
    def _quick_probe(self, monkeypatch, tmp_path) -> None:
        """A process that answers at once, in place of one that trains for half a minute."""
        script = tmp_path / "answer.py"
        answer = json.dumps({"start": 5.0, "step": 0.25, "snapshot": 1.0, "picture": 0.02})
        script.write_text(f"import sys; open(sys.argv[-1], 'w').write('{answer}')")
        start = subprocess.Popen

        def popen(command, **options):
            self.commands.append(command)
            options.pop("preexec_fn")
            return start([sys.executable, str(script), command[-1]], **options)

        self.commands: list[list[str]] = []
        monkeypatch.setattr(probes.subprocess, "Popen", popen)

    def finish(self, probing: Probing) -> None:
        probing.go_on()
        probing._process.wait()
        probing.go_on()

    @pytest.mark.django_db(transaction=True)
    def test_each_preset_is_probed_once(self, machine):
        probing = Probing(wait_seconds=0)
        self.finish(probing)
        self.finish(probing)
        probing.go_on()
        assert probing._process is None
        rows = TrainingSpeed.objects.order_by("preset")
        assert [(row.preset, row.step_seconds) for row in rows] == [("cpu64", 0.25), ("cpu64-hq", 0.25)]
        assert [command[5] for command in self.commands] == ["cpu64", "cpu64-hq"]
        assert missing_presets(machine) == []

    @pytest.mark.django_db(transaction=True)
    def test_one_worker_of_a_machine_at_a_time(self, machine):
        first, second = Probing(wait_seconds=0), Probing(wait_seconds=0)
        first.go_on()
        second.go_on()
        assert second._process is None
        first.make_way()
        second.go_on()
        assert second._process is not None
        second.make_way()
        assert not TrainingSpeed.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_a_job_on_this_machine_breaks_it_off(self, machine, experiment):
        probing = Probing(wait_seconds=0)
        probing.go_on()
        claim_job(queue="train", worker=f"{machine.name}:train:1:abc")
        probing.go_on()
        assert probing._process is None
        assert not TrainingSpeed.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_a_probe_that_fails_is_tried_twice(self, machine, monkeypatch):
        monkeypatch.setattr(probes, "_result_path", lambda: Path("/nonexistent/cache/probe.json"))
        monkeypatch.setattr(Probing, "_take_lock", lambda self: True)
        probing = Probing(wait_seconds=0)
        for _try in range(4):
            self.finish(probing)
        probing.go_on()
        assert [command[5] for command in self.commands] == ["cpu64", "cpu64", "cpu64-hq", "cpu64-hq"]
        assert probing._process is None

    @pytest.mark.django_db(transaction=True)
    def test_a_base_is_probed_once_presets_are(self, machine, weightless_base):
        base = weightless_base
        for preset in missing_presets(machine):
            store_probe(machine=machine, preset=preset, threads=threads_of(machine), speed=PLAIN)
        assert missing_bases(machine) == [base]
        probing = Probing(wait_seconds=0)
        self.finish(probing)
        probing.go_on()
        assert self.commands[-1][1:5] == ["manage.py", "probe_base", "--base", str(base.pk)]
        assert missing_bases(machine) == []
        assert len(self.commands) == 1
        training = AITraining(
            base=base, purpose=Purpose.STYLE, keyword="rex", subject="dog", steps=300, sample_prompts=["rex"]
        )
        training.dataset_version = DatasetVersion(count=10)
        assert ai_speed_of(training).step == 0.25
        training.purpose = Purpose.OBJECT  # has generated pictures beside its own
        assert ai_speed_of(training).step == pytest.approx(1.5 * 0.25)

    def test_cutting_subjects_out_and_making_their_class_take_time(self, machine, weightless_base):
        training = AITraining(
            base=weightless_base, purpose=Purpose.STYLE, keyword="rex", subject="dog", steps=300
        )
        training.dataset_version = DatasetVersion(count=10)
        store_probe(
            machine=machine, preset=probe_key(weightless_base), threads=threads_of(machine), speed=PLAIN
        )
        assert ai_speed_of(training).start == PLAIN.start
        training.purpose = Purpose.OBJECT
        ten = ai_speed_of(training).start
        training.dataset_version = DatasetVersion(count=20)
        twenty = ai_speed_of(training).start
        # A picture is cut out, in the time of 75 megapixels, and encoded 13 times; a step has 8 pictures.
        assert twenty - ten == pytest.approx(10 * (75 * 0.02 + 13 * 0.45 * 0.25 / 8))
        assert 2 * ten - twenty - PLAIN.start == pytest.approx(24 * 20 * 0.36 * 0.25 / 8)
        training.settings = {"surroundings": 0, "prior_pictures": 0}
        assert ai_speed_of(training).start == PLAIN.start

    def test_what_was_learned_counts_for_other_numbers_of_pictures(self, machine, weightless_base):
        training = AITraining(
            base=weightless_base, purpose=Purpose.OBJECT, keyword="rex", subject="dog", steps=300
        )
        training.dataset_version = DatasetVersion(count=5)
        taken = Taken(steps=100, start=40.0, step=0.3, snapshot=1.0, picture=0.01)
        refine_ai(training, machine=machine, threads=threads_of(machine), taken=taken)
        learned = ai_speed_of(training)
        assert (learned.start, learned.step) == (pytest.approx(40.0), pytest.approx(0.3))
        training.dataset_version = DatasetVersion(count=20)
        assert ai_speed_of(training).start > 40.0 + 15 * 75 * 0.01

    @pytest.mark.django_db(transaction=True)
    def test_large_bases_are_for_cards(self, machine, weightless_base, monkeypatch):
        monkeypatch.setattr("training.ai_plans._ANYWHERE_BYTES", 0)
        assert missing_bases(machine) == []
        machine.device, machine.device_bytes = "cuda", weightless_base.manifest["memory_bytes"]["train"]
        assert missing_bases(machine) == [weightless_base]
        machine.device_bytes -= 1
        assert missing_bases(machine) == []

    def test_large_presets_are_for_cards(self, machine):
        assert missing_presets(machine) == ["cpu64", "cpu64-hq"]
        machine.device, machine.device_bytes = "cuda", 8 << 30
        assert missing_presets(machine) == ["cpu64", "cpu64-hq", "gpu256"]
