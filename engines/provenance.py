"""What is written into image files about their making, where other tools look for it.

- PNG: text chunk `parameters` (the convention of Stable Diffusion web UIs), chunk `provenance` (JSON), XMP.
- JPEG and WebP: the same text in EXIF's UserComment, and XMP; the JSON stands inside the XMP.

XMP carries dc:creator, dc:rights, photoshop:Credit, xmpRights:WebStatement and the IPTC field that marks
pictures made or changed by a trained model (Iptc4xmpExt:DigitalSourceType). Films, animations and archives of
pictures: see engines.film_provenance.
"""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import IO, Literal, get_args
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

ImageFormat = Literal["png", "jpeg", "webp"]
FORMATS: tuple[ImageFormat, ...] = get_args(ImageFormat)
Scalar = str | int | float | bool
# Completes a record for the pixels that a reader of the file will see (`engines.signing.Signer.sign`).
Sign = Callable[["Provenance", Image.Image], "Provenance"]

SOFTWARE = "Atelier"
# Words of IPTC's vocabulary of digital source types: made by a model, or a given picture changed by one.
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
TRAINED, COMPOSITE = "trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"
DIGITAL_SOURCE_TYPE = SOURCE_TYPES + TRAINED
NAMESPACE = "https://atelier.invalid/ns/1.0/"  # identifies our XMP property; nothing is fetched from it
MAX_XMP_BYTES = 1 << 20
# Half the time of zlib's usual 6, for files that are a few percent longer: people wait for them.
PNG_EFFORT = 3
_USER_COMMENT_UNICODE = b"UNICODE\0"


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a generated image comes from. `settings` must suffice to make it again (seed, truncation...)."""

    model: str = ""
    model_sha256: str = ""
    prompt: str = ""
    negative_prompt: str = ""
    settings: Mapping[str, Scalar] = field(default_factory=dict)
    creator: str = ""  # who made the image
    credit: str = ""  # attribution lines that the model's lineage requires
    licence: str = ""
    licence_url: str = ""
    version_sha256: str = ""  # of all the model's files, where it is a version of a catalog
    run: str = ""  # number of the job that made it
    studio: str = ""  # address of the studio
    source_type: str = ""  # COMPOSITE where a given picture was changed; "": TRAINED
    # Set by engines.signing: for which pixels (or which content of a film or an archive), by which key, and
    # the signature over all the others.
    pixels_sha256: str = ""
    content_sha256: str = ""
    key: str = ""
    signature: str = ""

    def parameters(self) -> str:
        """The text other tools show: prompt, negative prompt, then `Name: value` pairs on one line."""
        lines = [self.prompt] if self.prompt else []
        if self.negative_prompt:
            lines.append(f"Negative prompt: {self.negative_prompt}")
        pairs = {**self.settings, "Model": self.model, "Model hash": self.model_sha256[:10]}
        lines.append(", ".join(f"{name}: {value}" for name, value in pairs.items() if value != ""))
        return "\n".join(lines)

    def as_json(self) -> str:
        """The complete record."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Provenance":
        """Raises ValueError for anything but our own record; unknown keys are ignored."""
        values = json.loads(text)
        if not isinstance(values, dict) or not isinstance(values.get("settings", {}), dict):
            raise ValueError("not a provenance record")  # noqa: TRY004 (a malformed value, not a caller's mistake)
        known = {item.name for item in fields(cls)}
        texts = {name: value for name, value in values.items() if name in known and name != "settings"}
        if not all(isinstance(value, str) for value in texts.values()):
            raise ValueError("not a provenance record")
        return cls(settings=values.get("settings", {}), **texts)


def write(
    image: Image.Image,
    target: Path | IO[bytes],
    provenance: Provenance,
    *,
    file_format: ImageFormat,
    quality: int = 92,
    sign: Sign | None = None,
) -> None:
    """Encode `image` with its provenance to a path or binary file. `quality` is for JPEG and WebP."""
    if sign is not None:
        provenance = sign(provenance, _as_read(image, file_format, quality))
    if file_format == "png":
        write_png(image, target, provenance)
    elif file_format == "jpeg":
        write_jpeg(image, target, provenance, quality=quality)
    else:
        write_webp(image, target, provenance, quality=quality)


def write_png(image: Image.Image, target: Path | IO[bytes], provenance: Provenance) -> None:
    """Write a PNG with text chunks and XMP."""
    chunks = PngInfo()
    chunks.add_itxt("parameters", provenance.parameters())
    chunks.add_itxt("provenance", provenance.as_json())
    chunks.add_itxt("XML:com.adobe.xmp", as_xmp(provenance))
    chunks.add_text("Software", SOFTWARE)
    image.save(target, format="PNG", pnginfo=chunks, compress_level=PNG_EFFORT)


def write_jpeg(
    image: Image.Image, target: Path | IO[bytes], provenance: Provenance, *, quality: int = 92
) -> None:
    """Write a JPEG with EXIF and XMP; transparency is dropped."""
    xmp = as_xmp(provenance).encode()
    image.convert("RGB").save(target, format="JPEG", quality=quality, exif=_exif(provenance), xmp=xmp)


def write_webp(
    image: Image.Image, target: Path | IO[bytes], provenance: Provenance, *, quality: int = 92
) -> None:
    """Write a WebP with EXIF and XMP."""
    xmp = as_xmp(provenance).encode()
    image.save(target, format="WEBP", quality=quality, exif=_exif(provenance), xmp=xmp)


def read(source: Path | IO[bytes]) -> Provenance | None:
    """The record that `write` left in a PNG, JPEG or WebP file, or None. Safe on files from strangers."""
    with Image.open(source) as image:
        image.load()  # PNG text may stand behind the pixels
        return read_record(image)


def read_record(image: Image.Image) -> Provenance | None:
    """The record in a picture that was opened and loaded, or None."""
    record = image.info.get("provenance")
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    if not isinstance(record, str):
        record = record_in_xmp(xmp.encode() if isinstance(xmp, str) else xmp)
    if record is None:
        return None
    try:
        return Provenance.from_json(record)
    except (ValueError, TypeError, RecursionError):
        return None


def read_parameters(image: Image.Image) -> str:
    """The text that Stable Diffusion web UIs, and we, write about a picture's making; "" where there is none.

    Safe on files from strangers. Nothing is decoded.
    """
    text = image.info.get("parameters")
    if isinstance(text, str):
        return text
    comment = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment, b"")
    if not isinstance(comment, bytes) or not comment.startswith(_USER_COMMENT_UNICODE):
        return ""
    return comment.removeprefix(_USER_COMMENT_UNICODE).decode("utf-16-be", "replace")


def _as_read(image: Image.Image, file_format: ImageFormat, quality: int) -> Image.Image:
    """The picture as whoever opens the file will see it: with the losses of its format."""
    if file_format == "png":
        return image
    encoded = io.BytesIO()
    write(image, encoded, Provenance(), file_format=file_format, quality=quality)
    with Image.open(encoded) as decoded:
        decoded.load()
        return decoded


def _exif(provenance: Provenance) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = SOFTWARE
    # As bytes, because Pillow replaces everything beyond ASCII; readers expect UTF-8 here.
    exif[ExifTags.Base.Artist] = provenance.creator.encode()
    exif[ExifTags.Base.Copyright] = provenance.licence.encode()
    comment = _USER_COMMENT_UNICODE + provenance.parameters().encode("utf-16-be")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    return exif


def as_xmp(provenance: Provenance) -> str:
    """The record as an XMP packet (ISO 16684-1)."""
    attributes = {
        "xmp:CreatorTool": SOFTWARE,
        "photoshop:Credit": provenance.credit,
        "xmpRights:WebStatement": provenance.licence_url,
        "Iptc4xmpExt:DigitalSourceType": f"{SOURCE_TYPES}{provenance.source_type or TRAINED}",
        "atelier:Record": provenance.as_json(),
    }
    pairs = " ".join(f"{name}={quoteattr(value)}" for name, value in attributes.items() if value)
    creator = escape(provenance.creator)
    rights = escape(provenance.licence)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
        ' xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        f' xmlns:atelier="{NAMESPACE}" {pairs}>'
        f"<dc:creator><rdf:Seq><rdf:li>{creator}</rdf:li></rdf:Seq></dc:creator>"
        f'<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">{rights}</rdf:li></rdf:Alt></dc:rights>'
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )


def record_in_xmp(xmp: bytes) -> str | None:
    """The JSON of the record in an XMP packet from whomever, or None."""
    # Entities are what makes XML dangerous to parse; our own XMP declares none.
    if not xmp or len(xmp) > MAX_XMP_BYTES or b"<!" in xmp:
        return None
    try:
        root = ET.fromstring(xmp.strip(b"\0"))  # noqa: S314 (no declarations get this far)
    except (ET.ParseError, ValueError, LookupError):
        return None
    for element in root.iter():
        record = element.get(f"{{{NAMESPACE}}}Record")
        if record is not None:
            return record
    return None
