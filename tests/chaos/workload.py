"""People who keep the studio busy with work of every kind, through its pages and its services."""

import http.client
import io
import random
import urllib.parse
from contextlib import closing
from dataclasses import dataclass, field

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import ObjectDoesNotExist
from django.core.files.base import ContentFile
from PIL import Image

from accounts.models import User
from billing.exceptions import BillingError
from catalog.exceptions import ImportRefusedError, RunRefusedError
from catalog.generators import network_of
from catalog.models import ModelImport, ModelVersion
from catalog.services import answer_import, start_import
from catalog.services.runs import ItemOrder, StepOrder, start_run
from engines.stylegan.points import Seed
from engines.stylegan.walking import Walk
from generation.exceptions import TooManyWaitingError
from generation.explore.walks import start_walk
from generation.models import Picture
from generation.orders import Start, TextOrder
from generation.services import start_generation
from generation.text_services import start_text_generation, start_upscale
from jobs.exceptions import MoveRefusedError
from jobs.models import Job, Queue, State
from jobs.services import request_sample, request_snapshot, stop_job
from tests.catalog.brought import lora
from training.models import AITraining, Dataset, Experiment
from training.services import (
    add_files,
    create_dataset,
    create_sample_dataset,
    delete_dataset,
    resume_training,
    start_ai_training,
    start_experiment,
)

TOKEN = "chaos" * 13


@dataclass
class Person:
    """Somebody with datasets to train on, one for each kind of training, another to fill, and a browser."""

    user: User
    dataset: Dataset
    portraits: Dataset
    to_fill: Dataset
    cookies: str


@dataclass
class Workload:
    people: list[Person]
    version: ModelVersion
    slow_version: ModelVersion
    base: ModelVersion
    adapters: list[ModelVersion]
    port: int
    rng: random.Random
    counts: dict[str, int] = field(default_factory=dict)

    def order(self) -> None:
        """Have somebody order something."""
        person = self.rng.choice(self.people)
        kinds = {
            "generation": 10,
            "generation by page": 8,
            "generation from text": 6,
            "larger copy": 2,
            "run": 4,
            "walk": 2,
            "upload": 4,
            "experiment": 2,
            "AI training": 2,
            "sample": 1,
            "import": 2,
        }
        kind = self.rng.choices(list(kinds), list(kinds.values()))[0]
        try:
            self._order(kind, person)
        except (BillingError, TooManyWaitingError, ImportRefusedError, RunRefusedError):
            kind = "refused: credits short, or too many waiting"
        except Picture.DoesNotExist:
            kind = "nothing there yet to make larger"
        except (OSError, http.client.HTTPException):
            kind = "cut off: the web server was gone"
        self.counts[kind] = self.counts.get(kind, 0) + 1

    def meddle(self) -> None:
        """Have somebody stop, steer or resume something."""
        states = [State.QUEUED, State.RUNNING, State.RUNNING, State.STOPPED, State.FAILED]
        job = Job.objects.filter(state=self.rng.choice(states)).order_by("?").first()
        if job is None:
            return
        try:
            if job.state in (State.STOPPED, State.FAILED):
                resume_training(training=_training_of(job))
            elif job.queue == Queue.TRAIN:
                self.rng.choice([stop_job, request_sample, request_snapshot])(job=job)
            else:
                stop_job(job=job, cause="the owner asked")
        except (MoveRefusedError, BillingError, ObjectDoesNotExist):
            pass

    def _order(self, kind: str, person: Person) -> None:
        of_one_person = {
            "generation by page": self._order_by_page,
            "run": self._run,
            "walk": self._walk,
            "AI training": self._train_ai,
            "import": self._import,
        }
        if kind in of_one_person:
            of_one_person[kind](person)
        elif kind == "generation":
            seeds = [self.rng.randrange(2**31) for _ in range(self.rng.randint(1, 16))]
            version = self.rng.choice([self.version, self.slow_version])
            start_generation(owner=person.user, version=version, seeds=seeds, truncation_psi=0.8)
        elif kind == "generation from text":
            start_text_generation(owner=person.user, order=self._text_order())
        elif kind == "larger copy":
            pictures = Picture.objects.owned_by(person.user).filter(width__lte=64).order_by("?")
            start_upscale(owner=person.user, picture=pictures[:1].get(), factor=self.rng.choice([2, 4]))
        elif kind == "upload":
            arrived = [self._picture() for _ in range(self.rng.randint(1, 12))]
            add_files(dataset=person.to_fill, arrived=arrived)
        elif kind == "experiment":
            start_experiment(
                owner=person.user,
                dataset=person.dataset,
                starting_point=self.version,
                steps=self.rng.randint(40, 200),
                settings={"batch": 4, "snapshot_every": 20},
            )
        else:
            for earlier in Dataset.objects.owned_by(person.user).exclude(sample_family=""):
                delete_dataset(dataset=earlier)
            create_sample_dataset(owner=person.user, family="cats", count=60)

    def _run(self, person: Person) -> None:
        """Run a generator through the catalog, for a few seeds."""
        settings = {"seed": self.rng.randrange(2**31), "truncation_psi": 0.8}
        step = StepOrder(version=self.version, settings=settings)
        items = [ItemOrder() for _ in range(self.rng.randint(1, 6))]
        start_run(owner=person.user, steps=[step], items=items)

    def _walk(self, person: Person) -> None:
        """A walk between seeds, in any format."""
        points = tuple(Seed(seed=self.rng.randrange(2**31)) for _ in range(self.rng.randint(2, 4)))
        start_walk(
            owner=person.user,
            network=network_of(self.version),
            walk=Walk(points=points, seconds=1.0, fps=12, loop=self.rng.random() < 0.5),
            file_format=self.rng.choice(["mp4", "gif", "zip"]),
        )

    def _import(self, person: Person) -> None:
        """Bring a LoRA, or answer what was found in the one before; it fits no base here, and is refused."""
        waiting = ModelImport.objects.filter(owner=person.user, stage=ModelImport.Stage.FOUND).first()
        if waiting is None:
            start_import(owner=person.user, arrived=ContentFile(lora(), "style.safetensors"))
            return
        number = self.rng.randrange(36**6)
        answer_import(
            imported=waiting,
            title="Style",
            name=f"style-{number}",
            author="Ada",
            source_url="",
            licence=self.base.licence,
            base=self.base,
        )

    def _train_ai(self, person: Person) -> None:
        """A LoRA of a few steps, now and then with pictures of the class for prior preservation."""
        keyword = f"custom{self.rng.randrange(36**6):06d}"
        start_ai_training(
            owner=person.user,
            dataset=person.portraits,
            base=self.base,
            name=keyword,
            keyword=keyword,
            subject="cat",
            steps=self.rng.randint(6, 24),
            settings={
                "batch": 2,
                "rank": 2,
                "views": 1,
                "snapshot_every": 5,
                "sample_steps": 2,
                "prior_steps": 2,
                "prior_pictures": self.rng.choice([0, 2]),
            },
            sample_prompts=["a cat"],
        )

    def _text_order(self) -> TextOrder:
        """Pictures from text, now and then inside a mask, with either trained model or none."""
        start = None
        if self.rng.random() < 0.3:
            start = Start(image=_flat("RGB", "tan"), mask=_flat("L", "white"))
        return TextOrder(
            base=self.base,
            adapter=self.rng.choice([None, *self.adapters]),
            prompt="a red cat",
            width=32,
            height=32,
            seeds=[self.rng.randrange(2**31) for _ in range(self.rng.randint(1, 6))],
            steps=8,
            start=start,
        )

    def _order_by_page(self, person: Person) -> None:
        form = {
            "model": self.version.model.address,
            "count": self.rng.randint(1, 6),
            "first_seed": self.rng.randrange(2**31),
            "truncation_psi": "0.8",
        }
        headers = {
            "Cookie": person.cookies,
            "X-CSRFToken": TOKEN[:32],
            "Content-Type": "application/x-www-form-urlencoded",
        }
        # Also where no answer comes in time: a web server that was killed leaves many waiting.
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as browser:
            browser.request("POST", "/generate/seeds/", urllib.parse.urlencode(form), headers)
            status = browser.getresponse().status
        assert status in (302, 402, 429, 500, 503), status

    def _picture(self) -> ContentFile:
        """A picture that nobody has sent yet, or a file that is none."""
        if self.rng.random() < 0.1:
            return ContentFile(b"not a picture", name="notes.png")
        stream = io.BytesIO()
        size = self.rng.randint(64, 1500), self.rng.randint(64, 1500)
        noise = Image.frombytes("RGB", (16, 16), self.rng.randbytes(16 * 16 * 3))
        noise.resize(size, Image.Resampling.BICUBIC).save(stream, "JPEG")
        return ContentFile(stream.getvalue(), name="picture.jpg")


def _training_of(job: Job) -> Experiment | AITraining:
    """Raises ObjectDoesNotExist where the job is no training."""
    kinds = {"training.ai": AITraining}
    return kinds.get(job.kind, Experiment).objects.get(job=job)


def _flat(mode: str, colour: str) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, (32, 32), colour).save(stream, format="PNG")
    return stream.getvalue()


def sign_in(user: User) -> str:
    """Return the cookies of a browser in which the user is signed in."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    cookies = {settings.SESSION_COOKIE_NAME: session.session_key, settings.CSRF_COOKIE_NAME: TOKEN[:32]}
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def make_person(user: User, dataset: Dataset, portraits: Dataset) -> Person:
    to_fill = create_dataset(owner=user, name="To fill", licence=dataset.licence)
    return Person(user=user, dataset=dataset, portraits=portraits, to_fill=to_fill, cookies=sign_in(user))
