"""Pictures: the same as the pipelines of diffusers make, and the same in company as alone."""

import numpy as np
import pytest
import torch

from engines.diffusion.generate import TOLERANCE, Sample, generate, preview
from engines.diffusion.lora import NO_LORA, add_lora, load_lora, lora_parameters, remove_lora
from engines.diffusion.per_sample import per_sample
from engines.errors import ConfigError, ModelError

SIZE = {"width": 24, "height": 32}


def levels(first, second):
    """The largest difference between two pictures."""
    return int(np.abs(first.astype(int) - second.astype(int)).max())


@pytest.fixture
def loras(open_base, family):
    """The family's base with two LoRAs that change pictures visibly."""
    base = open_base(family)
    for number, name in enumerate(("one", "two")):
        rng = torch.Generator().manual_seed(number)
        options = {"layers": "all", "text": True, "convolutions": True, "keyword": "mimo"}
        add_lora(base, name, rank=2 + number, rng=rng, **options)
        for parameter in lora_parameters(base, name).values():
            parameter.data = torch.randn(parameter.shape, generator=rng) * 0.3
    yield base
    for name in ("one", "two"):
        remove_lora(base, name)


def reference(base, sample, steps):
    """The same by the pipeline of diffusers alone, with the same sampler."""
    pipeline, family = base.pipeline, base.family.name
    options = {"num_inference_steps": steps, **SIZE, "output_type": "np"}
    options["generator"] = torch.Generator().manual_seed(sample.seed)
    if family == "starter":
        options |= {
            "true_cfg_scale": 4.0,
            "negative_prompt": sample.negative_prompt,
            "max_sequence_length": 24,
        }
    elif family == "flux":
        options |= {"guidance_scale": 3.5, "max_sequence_length": 24}
    else:
        negative = sample.negative_prompt or (None if family == "sdxl" else "")
        options |= {"guidance_scale": base.family.default_guidance, "negative_prompt": negative}
    if family == "sd3":
        options["max_sequence_length"] = 24
    if base.family.objective == "noise":
        from diffusers import DPMSolverMultistepScheduler

        own = pipeline.scheduler
        pipeline.scheduler = DPMSolverMultistepScheduler.from_config(own.config)
        try:
            picture = pipeline(sample.prompt, **options).images[0]
        finally:
            pipeline.scheduler = own
    else:
        picture = pipeline(sample.prompt, **options).images[0]
    return (picture * 255).round().astype(np.uint8)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # DPM-Solver of diffusers
def test_pictures_equal_those_of_diffusers(open_base, family):
    base = open_base(family)
    sample = Sample(prompt="a red cat", negative_prompt="", seed=7)
    [picture] = generate(base, [sample], steps=4, **SIZE)
    assert picture.shape == (32, 24, 3)
    assert picture.std() > 5
    assert levels(picture, reference(base, sample, 4)) <= TOLERANCE


def test_pictures_of_several_loras_in_one_batch_equal_those_made_alone(loras):
    samples = [
        Sample(prompt="a cat", seed=1, lora="one"),
        Sample(prompt="a red cat", seed=2, guidance=2.0),
        Sample(prompt="a cat", seed=1, lora="two"),
        Sample(prompt="a cat", seed=1, lora="one", lora_scale=0.5),
        Sample(prompt="mimo cat", seed=1, lora="one"),
        Sample(prompt="mimo cat", seed=1, lora="two"),
    ]
    together = generate(loras, samples, steps=3, batch=8, **SIZE)
    for sample, picture in zip(samples, together, strict=True):
        [alone] = generate(loras, [sample], steps=3, **SIZE)
        assert levels(picture, alone) <= TOLERANCE
    assert levels(together[0], together[2]) > 10 < levels(together[0], together[3])


def test_vectors_for_a_keyword_change_it_alone(open_base, family):
    base = open_base(family)
    rng = torch.Generator().manual_seed(0)
    bare = base.encode_text(["mimo cat", "a cat"])
    add_lora(base, "own", rank=2, layers="attention", text=False, rng=rng, keyword="mimo")
    tensors = {key: value.detach().clone() for key, value in lora_parameters(base, "own").items()}
    vectors = {key: value for key, value in tensors.items() if key.endswith(".lora_keyword")}
    assert vectors.keys() == {f"{name}.lora_keyword" for name in base.text_encoders}
    remove_lora(base, "own")
    shift = torch.randn(16, generator=rng)  # no constant: layers that normalise would not see it
    moved = {
        key: value + shift.repeat(2)[: value.shape[1]] if key in vectors else value
        for key, value in tensors.items()
    }
    load_lora(base, "own", moved, keyword="mimo")
    with per_sample(base, ["own", NO_LORA], [1.0, 1.0]):
        changed = base.encode_text(["mimo cat", "mimo cat", "a cat", "a cat"])
    with per_sample(base, ["own"], [0.0]):
        at_no_strength = base.encode_text(["mimo cat"])
    remove_lora(base, "own")
    assert not all(torch.allclose(changed[key][0], value[0], atol=1e-3) for key, value in bare.items())
    for key, value in bare.items():
        torch.testing.assert_close(changed[key][1:3], value, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(at_no_strength[key][0], value[0], rtol=1e-4, atol=1e-5)
    with pytest.raises(ModelError, match="that it does not name"):
        load_lora(base, "own", moved)
    remove_lora(base, "own")
    with pytest.raises(ModelError, match="do not fit this base"):
        load_lora(base, "own", moved, keyword="mimo mimo")
    remove_lora(base, "own")


def test_from_a_picture_and_inside_a_mask(open_base, family):
    base = open_base(family)
    image = np.random.default_rng(0).integers(0, 256, (32, 24, 3), dtype=np.uint8)
    mask = np.zeros((32, 24), np.uint8)
    mask[8:16, 4:12] = 255
    samples = [
        Sample(prompt="a cat", image=image, strength=0.5),
        Sample(prompt="a cat", image=image, mask=mask, strength=0.5),
    ]
    whole, inside = generate(base, samples, steps=4, **SIZE)
    outside = mask == 0
    np.testing.assert_array_equal(inside[outside], image[outside])
    assert levels(inside, image) > 10
    assert levels(whole, generate(base, samples[:1], steps=4, **SIZE)[0]) <= TOLERANCE


def test_previews_come_on_the_way_and_can_end_the_call(open_base, family):
    base, seen = open_base(family), []
    samples = [Sample(prompt="a cat", seed=seed) for seed in range(3)]
    generate(base, samples, steps=4, batch=2, preview_every=2, watcher=seen.append, **SIZE)
    assert [(shown.step, shown.total, shown.indices) for shown in seen] == [
        (2, 4, (0, 1)),
        (4, 4, (0, 1)),
        (2, 4, (2,)),
        (4, 4, (2,)),
    ]
    side = (32, 24, 3) if family == "starter" else (16, 12, 3)
    assert seen[0].pictures()[0].shape == side

    def give_up(shown):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        generate(base, samples, steps=4, preview_every=1, watcher=give_up, **SIZE)


def test_the_linear_preview_has_a_pixel_for_each_latent(open_base):
    base = open_base("flux")
    red = torch.tensor([0.8, -0.8, -0.8])[None, :, None, None].expand(1, 3, 32, 32)
    [shown] = preview(base, base.encode_pictures(red))
    assert shown.shape == (16, 16, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 30, "height": 32}, "multiples of 4"),
        ({"width": 32, "height": 32, "steps": 1000}, "Steps go from 1 to 150"),
    ],
)
def test_what_cannot_be_is_refused(open_base, options, message):
    with pytest.raises(ConfigError, match=message):
        generate(open_base("starter"), [Sample(prompt="")], **options)


def test_samples_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match="Seeds go from"):
        Sample(prompt="", seed=-1)
    with pytest.raises(ConfigError, match="strength"):
        Sample(prompt="", strength=0)
    with pytest.raises(ConfigError, match="mask needs the picture"):
        Sample(prompt="", mask=np.zeros((2, 2), np.uint8))


def test_a_lora_that_is_removed_leaves_the_base_as_it_was(open_base, family):
    base = open_base(family)
    sample = Sample(prompt="a cat", seed=3)
    before = generate(base, [sample], steps=2, **SIZE)[0]
    rng = torch.Generator().manual_seed(0)
    add_lora(base, "own", rank=2, layers="attention", text=True, rng=rng)
    tensors = {name: parameter.detach() + 0.4 for name, parameter in lora_parameters(base, "own").items()}
    remove_lora(base, "own")
    load_lora(base, "own", tensors)
    changed = generate(base, [Sample(prompt="a cat", seed=3, lora="own")], steps=2, **SIZE)[0]
    assert levels(before, changed) > TOLERANCE
    remove_lora(base, "own")
    assert not lora_parameters(base, "own")
    np.testing.assert_array_equal(generate(base, [sample], steps=2, **SIZE)[0], before)


@pytest.fixture
def room_for(open_base):
    """A function: the tiny starter, whose denoiser runs out of memory with more than so many rows."""
    base = open_base("starter")
    sizes = []

    def limited(most):
        def check(_module, _args, options):
            sizes.append(len(options["hidden_states"]))
            if sizes[-1] > most:
                raise torch.OutOfMemoryError("CUDA out of memory.")

        handles.append(base.denoiser.register_forward_pre_hook(check, with_kwargs=True))
        return base, sizes

    handles = []
    yield limited
    for handle in handles:
        handle.remove()


def test_where_memory_runs_out_batches_are_halved_once(room_for):
    samples = [Sample(prompt="a cat", seed=seed) for seed in range(8)]
    base, sizes = room_for(4)  # two samples with two prompts each
    pictures = generate(base, samples, steps=1, batch=4, **SIZE)
    assert sizes == [8, 4, 4, 4, 4]
    for number in (0, 3, 7):
        [alone] = generate(base, samples[number : number + 1], steps=1, **SIZE)
        assert levels(pictures[number], alone) <= TOLERANCE


def test_where_halves_do_not_fit_it_says_what_would(room_for):
    samples = [Sample(prompt="a cat", seed=seed) for seed in range(8)]
    base, _ = room_for(2)
    with pytest.raises(
        ConfigError, match="4 pictures of 24 x 32 pixels at once do not fit into memory; 1 would"
    ):
        generate(base, samples, steps=1, batch=8, **SIZE)
    base, _ = room_for(1)
    with pytest.raises(ConfigError, match="Not even one picture of 24 x 32 pixels fits"):
        generate(base, samples[:1], steps=1, **SIZE)
