"""How long a LoRA training takes on this machine: some steps of the real loop on made-up pictures.

`python -m engines probe --base FOLDER --out speed.json` writes what the parts of a training take, in seconds:
of the preset for styles, whose steps have no generated pictures beside them. What other trainings take
follows from that. The first steps choose kernels and fill caches, so they do not count; of the others, which
are all alike, the median is taken.
"""

import statistics
import tempfile
from pathlib import Path

from engines.choices import Device
from engines.diffusion.config import TrainPicture, preset_for
from engines.diffusion.folders import read_base
from engines.diffusion.train import train
from engines.probing import Stopwatch, made_up_pictures, picture_seconds, process_seconds, write_speed
from engines.stylegan.speed import Speed

WARM_UP_STEPS = 2
FEWEST_STEPS, MOST_STEPS = 4, 24
ENOUGH_SECONDS = 10.0
PICTURE_SIDE = 640


def probe(base: Path, *, device: Device = "auto", threads: int = 1) -> Speed:
    """Train on a base for a few steps and one snapshot, in a folder that is removed afterwards.

    Raises ModelError for a base that cannot be loaded, ConfigError where the device is not there or a batch
    does not fit into its memory.
    """
    before = process_seconds()
    parameters = read_base(base).parameters
    preset = preset_for("style", parameters.get("transformer", parameters.get("unet", 0)))
    with tempfile.TemporaryDirectory(prefix="probe-") as folder:
        picture = picture_seconds(Path(folder))
        paths = made_up_pictures(Path(folder) / "pictures", PICTURE_SIDE, "png")
        steps = WARM_UP_STEPS + MOST_STEPS
        config = preset.config(
            base=base,
            run_dir=Path(folder) / "run",
            pictures=tuple(TrainPicture(path=path) for path in paths),
            keyword="zoxumi",
            class_word="picture",
            steps=steps,
            snapshot_every=steps,
            device=device,
            threads=threads,
        )
        watch = Stopwatch(warm_up=WARM_UP_STEPS, round_steps=FEWEST_STEPS, enough_seconds=ENOUGH_SECONDS)
        train(config, watch)
    step = statistics.median(watch.steps[WARM_UP_STEPS:])
    return Speed(
        start=max(0.0, before + watch.steps[0] - step),
        step=step,
        snapshot=watch.snapshots[-1],
        picture=picture,
    )


def write_probe(base: Path, out: Path, *, device: Device = "auto", threads: int = 1) -> Speed:
    """Probe, and write the result as JSON: the file appears whole or not at all."""
    speed = probe(base, device=device, threads=threads)
    write_speed(speed, out)
    return speed
