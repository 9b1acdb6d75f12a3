"""What a network gave, told as its manifest says: pictures, texts, numbers, labels with scores, boxes."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engines.errors import ModelError
from engines.onnx.pictures import Frame, box_on_picture, from_tensor, png
from engines.onnx.ports import Output

Array = npt.NDArray[Any]

MAX_NUMBERS = 100_000  # that a result may tell; pictures aside
MAX_BOXES = 300


def tell(port: Output, tensor: Array, frame: Frame | None, out: str) -> Any:
    """Return one output as `engines.onnx.run.Result` describes it; pictures are written to `out` + name.png.

    `frame`: the picture that went in. Raises ModelError where the tensor is not what the manifest says.
    """
    called = port.label or port.name
    if port.kind == "image":
        return _write_image(port, tensor, frame, Path(f"{out}{port.name}.png"))
    if tensor.size > MAX_NUMBERS:
        raise ModelError(f"{called} has {tensor.size} numbers, more than can be shown.")
    if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
        raise ModelError(f"{called} came out as no number (infinite or not a number).")
    if port.kind == "number" and tensor.size != 1:
        raise ModelError(f"{called} has {tensor.size} numbers in place of one.")
    told = {
        "text": lambda: " ".join(str(one) for one in tensor.reshape(-1)),
        "number": lambda: float(tensor.reshape(-1)[0]),
        "vector": lambda: [float(one) for one in tensor.reshape(-1)],
        "labels": lambda: _labels(port, tensor),
        "boxes": lambda: _boxes(port, tensor, frame),
        "json": tensor.tolist,
    }
    return told[port.kind]()


def _write_image(port: Output, tensor: Array, frame: Frame | None, path: Path) -> dict[str, Any]:
    image = from_tensor(tensor.astype(np.float32), port.picture, frame)
    path.write_bytes(png(image))
    return {"file": str(path), "width": image.width, "height": image.height}


def _labels(port: Output, tensor: Array) -> list[dict[str, Any]]:
    scores = tensor.reshape(-1).astype(np.float64)
    if len(scores) != len(port.classes):
        raise ModelError(f"The network tells {len(scores)} things apart, the manifest {len(port.classes)}.")
    if port.activation == "softmax":
        scores = np.exp(scores - scores.max())
        scores /= scores.sum()
    elif port.activation == "sigmoid":
        scores = 1 / (1 + np.exp(-np.clip(scores, -50, 50)))
    best = np.argsort(-scores, kind="stable")[: port.top]
    return [{"label": port.classes[place], "score": round(float(scores[place]), 4)} for place in best]


def _boxes(port: Output, tensor: Array, frame: Frame | None) -> list[dict[str, Any]]:
    if not tensor.ndim or tensor.shape[-1] != 6:
        raise ModelError("Boxes have six numbers: left, upper, right, lower, score, class. These differ.")
    if frame is None:
        raise ModelError("There are boxes, but no picture that they could lie on.")
    rows = tensor.reshape(-1, 6).astype(np.float64)
    kept = rows[rows[:, 4] >= port.threshold]
    kept = kept[np.argsort(-kept[:, 4], kind="stable")][:MAX_BOXES]
    if port.fractions:
        kept = kept * np.asarray([frame.width, frame.height, frame.width, frame.height, 1, 1])
    return [
        {
            "label": _class_name(port, int(row[5])),
            "score": round(float(row[4]), 4),
            "box": box_on_picture(row[:4].tolist(), frame.placed),
        }
        for row in kept
    ]


def _class_name(port: Output, place: int) -> str:
    return port.classes[place] if 0 <= place < len(port.classes) else str(place)
