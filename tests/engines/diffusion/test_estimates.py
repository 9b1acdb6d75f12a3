"""What a base computes, against figures that are known of real ones."""

from pathlib import Path

import pytest

from engines.diffusion.estimates import EFFICIENCY, Work, work_of
from engines.diffusion.folders import BaseInfo

# Parameters of the denoiser; multiply-adds of one prediction in billions, as papers and profilers tell them.
KNOWN = {
    "sd15": ("unet", 860e6, {"sample_size": 64}, 340, 50),
    "sdxl": ("unet", 2570e6, {"sample_size": 128}, 3000, 50),
    "flux": ("transformer", 11.9e9, {}, 60_000, 28),
}


@pytest.mark.parametrize("family", KNOWN)
def test_work_is_right_within_a_factor_of_two(family):
    denoiser, parameters, config, once, predictions = KNOWN[family]
    info = BaseInfo(
        folder=Path(),
        family=family,
        components={},
        configs={denoiser: config, "vae": {"block_out_channels": [1, 1, 1, 1]}},
        parameters={denoiser: int(parameters), "vae": 1},
    )
    work = work_of(info)
    assert once * predictions / 2 < work.picture < once * predictions * 2
    assert work.training_step > once


def test_seconds_follow_the_measured_speed():
    seconds = Work(picture=100.0, training_step=10.0).seconds(50.0)
    assert (seconds.picture, seconds.training_step) == (2 / EFFICIENCY, 0.2 / EFFICIENCY)
