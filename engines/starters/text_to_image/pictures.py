"""Pictures the autoencoder learns from: scenes, photographs and drawn textures.

Torch-free. Scenes alone would teach it flat colour only; photographs and textures keep it honest on what
people upload. Textures follow the dead-leaves model (Lee, Mumford, Huang 2001): overlapping shapes of all
sizes, here filled with colour noise, whose statistics come close to those of photographs.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from engines.starters.text_to_image.scenes import SIZE, Composer, half

Array = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_SCENE_SHARE, _PHOTOGRAPH_SHARE = 0.45, 0.33  # the rest are textures
_PHOTOGRAPH_SCALES = (1.0, 0.7, 0.5, 0.34)  # crops of a photograph reduced to these fractions of its size
_TEXTURE_SIZE = 256


class PictureMix:
    """Random square crops of scenes, photographs and textures, all uint8 ``[crop, crop, 3]``.

    Args:
        composer: makes the scenes.
        photographs: pictures ``[H, W, 3]``, shorter side at least three times the crop.
        textures: how many are painted, once, here.
    """

    def __init__(self, composer: Composer, photographs: Sequence[Array], *, textures: int) -> None:
        self._composer = composer
        self._photographs = [_reduced(photo, scale) for photo in photographs for scale in _PHOTOGRAPH_SCALES]
        rng = np.random.default_rng(0)
        self._textures = [texture(rng, _TEXTURE_SIZE) for _ in range(textures)]

    def batch(self, rng: np.random.Generator, count: int, crop: int) -> Array:
        """A batch ``[count, crop, crop, 3]``; ``crop`` at most 128."""
        return np.stack([self._picture(rng, crop) for _ in range(count)])

    def _picture(self, rng: np.random.Generator, crop: int) -> Array:
        draw = rng.random()
        if draw < _SCENE_SHARE:
            scene = self._composer.scene(rng).pixels
            if crop <= SIZE // 2 and rng.random() < 0.4:
                scene = half(scene)
            return _crop(rng, scene, crop)
        if draw < _SCENE_SHARE + _PHOTOGRAPH_SHARE and self._photographs:
            photo = self._photographs[int(rng.integers(len(self._photographs)))]
            return _tinted(rng, _flipped(rng, _crop(rng, photo, crop)))
        pattern = self._textures[int(rng.integers(len(self._textures)))]
        return _tinted(rng, _flipped(rng, _crop(rng, pattern, crop)))


def texture(rng: np.random.Generator, size: int) -> Array:
    """A dead-leaves picture ``[size, size, 3]`` with grain and shading."""
    canvas = Image.new("RGB", (size, size))
    draw = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(60, 500))):
        # Radii follow a power law, as apparent sizes of things do.
        radius = min(4.0 / max(rng.random(), 0.02) ** 0.7, size / 2)
        x, y = rng.uniform(-10, size + 10, 2)
        tone = rng.normal(120, 65) + rng.normal(0, 28, 3)
        colour = tuple(int(value) for value in np.clip(tone, 0, 255))
        if rng.random() < 0.5:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        else:
            angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 7))))
            draw.polygon([(x + radius * np.cos(a), y + radius * np.sin(a)) for a in angles], fill=colour)
    picture = np.asarray(canvas, np.float32)
    grain = _cloud_noise(rng, size) * rng.uniform(0, 10) + _cloud_noise(rng, size, 1) * rng.uniform(4, 40)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def _cloud_noise(rng: np.random.Generator, size: int, channels: int = 3) -> Floats:
    """Noise ``[size, size, channels]`` of unit scale, weaker at high frequencies, as in photographs."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    falloff = 1 / np.maximum(frequency, 1 / size) ** rng.uniform(0.6, 1.4)
    planes = []
    for _ in range(channels):
        spectrum = np.fft.rfft2(rng.standard_normal((size, size))) * falloff
        plane = np.fft.irfft2(spectrum, (size, size))
        planes.append((plane - plane.mean()) / plane.std())
    return np.stack(planes, axis=-1).astype(np.float32)


def _reduced(photo: Array, scale: float) -> Array:
    height, width = (round(side * scale) for side in photo.shape[:2])
    return np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.LANCZOS))


def _crop(rng: np.random.Generator, picture: Array, crop: int) -> Array:
    y = int(rng.integers(picture.shape[0] - crop + 1))
    x = int(rng.integers(picture.shape[1] - crop + 1))
    return picture[y : y + crop, x : x + crop]


def _flipped(rng: np.random.Generator, picture: Array) -> Array:
    return picture[:, ::-1] if rng.random() < 0.5 else picture


def _tinted(rng: np.random.Generator, picture: Array) -> Array:
    """Random gain and offset per channel, half of the time: few photographs must stand for many."""
    if rng.random() < 0.5:
        return picture
    gain, offset = rng.uniform(0.7, 1.2, 3), rng.uniform(-25, 25, 3)
    return np.clip(picture * gain + offset, 0, 255).astype(np.uint8)
