"""A small folder of drawing sets in the layout of the real ones."""

import io
import json
import zipfile
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

NOUNS = ("cat", "penguin", "fish", "house", "dog")
ICON_STYLES = ("thin icon", "regular icon", "bold icon", "solid icon", "duotone icon")


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> Path:
    """Four sets of five nouns, one of them with a duotone style, and two photographs."""
    folder = tmp_path_factory.mktemp("images")
    for name, style in (("noto_color", "emoji"), ("blob", "blob emoji"), ("noto_line", "line drawing")):
        _write_set(folder / f"{name}.zip", (style,), mode="L" if name == "noto_line" else "RGBA")
    _write_set(folder / "phosphor_icons.zip", ICON_STYLES, mode="L")
    for subject in ("cat", "dog"):
        photograph = folder / "subjects" / subject / "00.jpg"
        photograph.parent.mkdir(parents=True)
        Image.effect_mandelbrot((200, 260), (-2, -1.3, 1, 1.3), 30).convert("RGB").save(photograph)
    return folder


def _write_set(path: Path, styles: tuple[str, ...], *, mode: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        rows = []
        for style in styles:
            for index, noun in enumerate(NOUNS):
                name = f"images/{style}-{noun}.png".replace(" ", "-")
                archive.writestr(name, _drawing(index, mode))
                rows.append({"file_name": name, "text": noun, "style": style})
        archive.writestr("metadata.jsonl", "\n".join(json.dumps(row) for row in rows))


def _drawing(index: int, mode: str) -> bytes:
    image = Image.new(mode, (128, 128))
    colour = 255 if mode == "L" else (40 * index, 200 - 30 * index, 90, 255)
    ImageDraw.Draw(image).regular_polygon((64, 64, 50), 3 + index, fill=colour)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
