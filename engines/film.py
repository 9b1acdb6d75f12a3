"""Films from pictures: MP4 that plays in every browser (H.264, 4:2:0, index at the front), GIF, PNG files.

No torch here. PyAV brings FFmpeg and x264 along; see docs/training.md for their licences.
"""

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import GifImagePlugin, Image, ImageDraw, ImageFont

from engines.archives import ZIP_DATE
from engines.errors import ConfigError
from engines.images import UInt8Array, grid, sheet_columns

FPS = 24
HOLD_SECONDS, FADE_SECONDS, END_SECONDS = 0.5, 0.3, 2.0
KEYFRAME_SECONDS = 2  # between places that a player can jump to
QUALITY = 18  # x264's constant rate factor: hardly told from the original
MIN_WIDTH = 896  # small pictures are enlarged, because 4:2:0 halves the resolution of colours
CAPTION_HEIGHT = 48
CAPTION_SIZE = 24
PAPER, INK = (255, 255, 255), (32, 32, 32)
SIZES_DIFFER = "The pictures of a film must all have the same size. Leave the others out."
GIF_COLOURS = 256
SHORTEST_DELAY = 2  # hundredths of a second; browsers slow down what is shorter
_BT709 = 1  # in the numbering of H.264 for primaries, transfer and matrix


def write_film(
    frames: Iterable[UInt8Array], path: Path, *, fps: int = FPS, tags: Mapping[str, str] | None = None
) -> int:
    """Write uint8 `[H, W, 3]` frames of one size as an MP4 and return their number.

    `tags` are the container's, by FFmpeg's names: title, artist, copyright, comment.

    Frames are taken one at a time, so a generator keeps memory flat, and an exception from it ends the work.
    Odd sides are made even by repeating the last line. Same frames, same library: same bytes. The file
    appears complete or not at all. Raises ConfigError where there is no frame, or one of another size.
    """
    with _complete_or_not_at_all(path) as draft:
        return _encode(frames, draft, fps, tags or {})


def write_gif(frames: Iterable[UInt8Array], path: Path, *, fps: int, colours: UInt8Array) -> int:
    """Write uint8 `[H, W, 3]` frames as a GIF that repeats for ever and return their number.

    All frames have one palette, chosen from `colours` (uint8 `[N, h, w, 3]`, some of the pictures), so that
    colours do not flicker. GIF counts hundredths of a second: single delays are rounded, their sum is not.
    Otherwise as `write_film`.
    """
    sample = Image.fromarray(grid(colours, columns=sheet_columns(len(colours))))
    palette = sample.quantize(GIF_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    count = 0
    with _complete_or_not_at_all(path) as draft, draft.open("wb") as file:
        for frame in frames:
            picture = Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
            if not count:
                size = picture.size
                file.writelines(GifImagePlugin.getheader(picture, info={"loop": 0, "optimize": False})[0])
            elif picture.size != size:
                raise ConfigError(SIZES_DIFFER)
            # Each frame by itself: Pillow's own way of saving would hold all of them in memory.
            file.writelines(GifImagePlugin.getdata(picture, duration=10 * _gif_delay(count, fps)))
            count += 1
        if not count:
            raise ConfigError("There is no picture to make an animation of. Give at least one.")
        file.write(b";")
    return count


def write_picture_sequence(
    frames: Iterable[UInt8Array],
    path: Path,
    *,
    write_png: Callable[[Image.Image, IO[bytes]], None] | None = None,
) -> int:
    """Write uint8 `[H, W, 3]` frames as 00000.png, 00001.png, ... in a ZIP and return their number.

    `write_png` encodes one, in place of Pillow alone. Otherwise as `write_film`, but that sizes may differ.
    """
    encode = write_png or _write_plain_png
    count = 0
    with _complete_or_not_at_all(path) as draft, zipfile.ZipFile(draft, "w") as archive:
        for frame in frames:
            content = io.BytesIO()
            encode(Image.fromarray(frame), content)
            archive.writestr(zipfile.ZipInfo(f"{count:05d}.png", ZIP_DATE), content.getvalue())
            count += 1
        if not count:
            raise ConfigError("There is no picture to pack. Give at least one.")
    return count


def enlarged(frame: UInt8Array, factor: int) -> UInt8Array:
    """uint8 `[H, W, 3]` at `factor` times its sides, smoothly."""
    if factor == 1:
        return frame
    height, width = frame.shape[:2]
    return np.asarray(
        Image.fromarray(frame).resize((factor * width, factor * height), Image.Resampling.BICUBIC)
    )


def write_progress_film(
    grids: Iterable[tuple[str, Path]],
    path: Path,
    *,
    fps: int = FPS,
    tags: Mapping[str, str] | None = None,
) -> int:
    """Write the film of a training from (caption, picture) in order and return the number of frames.

    Each picture stands for half a second and fades into the next; the last stands for two. Raises as
    `write_film` does, and OSError for a picture that cannot be read.
    """
    return write_film(_faded(grids, fps), path, fps=fps, tags=tags)


@contextmanager
def _complete_or_not_at_all(path: Path) -> Iterator[Path]:
    """Yield a file to write that becomes `path` if the block ends without an error, else vanishes."""
    draft = path.with_name(f".{path.name}.part")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _write_plain_png(picture: Image.Image, target: IO[bytes]) -> None:
    picture.save(target, "PNG")


def _gif_delay(frame: int, fps: int) -> int:
    """Hundredths of a second that a frame stands, such that it ends when it should."""
    return max(SHORTEST_DELAY, round((frame + 1) * 100 / fps) - round(frame * 100 / fps))


def _encode(frames: Iterable[UInt8Array], path: Path, fps: int, tags: Mapping[str, str]) -> int:
    count = 0
    with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        container.metadata.update(tags)
        stream = container.add_stream("libx264", rate=fps)
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1  # so that the bytes do not depend on the machine's cores
        stream.options = {"crf": str(QUALITY), "preset": "veryfast", "g": str(KEYFRAME_SECONDS * fps)}
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = ColorRange.MPEG
        for frame in map(_evened, frames):
            height, width = frame.shape[:2]
            if not count:
                stream.width, stream.height = width, height
            elif (stream.width, stream.height) != (width, height):
                raise ConfigError(SIZES_DIFFER)
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
            )
            container.mux(stream.encode(picture))
            count += 1
        if not count:
            raise ConfigError("There is no picture to make a film of yet. Wait for the first snapshot.")
        container.mux(stream.encode(None))
    return count


def _evened(frame: UInt8Array) -> UInt8Array:
    height, width = frame.shape[:2]
    even = np.pad(frame, [(0, height % 2), (0, width % 2), (0, 0)], mode="edge")
    return np.ascontiguousarray(even)


def _faded(grids: Iterable[tuple[str, Path]], fps: int) -> Iterator[UInt8Array]:
    """The frames of a progress film; at most two pictures are in memory."""
    fade = round(FADE_SECONDS * fps)
    shown: UInt8Array | None = None
    for caption, path in grids:
        coming = _captioned(path, caption)
        if shown is not None:
            for number in range(1, fade + 1):
                yield _blend(shown, coming, number / (fade + 1))
        yield from [coming] * round(HOLD_SECONDS * fps)
        shown = coming
    if shown is not None:
        yield from [shown] * round((END_SECONDS - HOLD_SECONDS) * fps)


def _blend(first: UInt8Array, second: UInt8Array, share: float) -> UInt8Array:
    if first.shape != second.shape:
        return second
    mixed = first * np.float32(1.0 - share) + second * np.float32(share)
    return (mixed + 0.5).astype(np.uint8)


def _captioned(path: Path, caption: str) -> UInt8Array:
    """The picture, enlarged without blur if it is small, above a line of text."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    factor = max(1, MIN_WIDTH // picture.width)
    picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    canvas = Image.new("RGB", (picture.width, picture.height + CAPTION_HEIGHT), PAPER)
    canvas.paste(picture)
    middle = (picture.width // 2, picture.height + CAPTION_HEIGHT // 2)
    font = ImageFont.load_default(CAPTION_SIZE)
    ImageDraw.Draw(canvas).text(middle, caption, fill=INK, font=font, anchor="mm")
    return np.asarray(canvas)
