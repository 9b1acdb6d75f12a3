"""The operator's content checker, where one is set (CHECKER_DIR): it looks at pictures before they are kept.

Imports torch.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _
from torch import nn

from engines.diffusion.checker import Checker
from engines.errors import EngineError
from engines.images import UInt8Array
from jobs import warm
from jobs.exceptions import JobError

logger = logging.getLogger(__name__)


def refused_places(pictures: Sequence[UInt8Array], *, device: str) -> set[int]:
    """Return which of the pictures uint8 `[H, W, 3]` the checker refuses; none where there is no checker.

    Raises JobError where the checker cannot be used: what nobody has looked at is not kept.
    """
    if not settings.CHECKER_DIR:
        return set()
    try:
        checker = warm.get(f"checker {settings.CHECKER_DIR}", lambda: _open(device), _nbytes)
        labels = checker.flagged(pictures)
    except EngineError as error:
        logger.exception("The content checker cannot be used")
        sentence = _("The content checker of this studio does not work. Tell whoever runs the studio.")
        raise JobError(sentence) from error
    return {place for place, label in enumerate(labels) if label is not None}


def _open(device: str) -> Checker:
    return Checker.open(
        Path(settings.CHECKER_DIR),
        refused=settings.CHECKER_LABELS,
        threshold=settings.CHECKER_THRESHOLD,
        device=device,
    )


def _nbytes(checker: Checker) -> int:
    model: nn.Module = checker.model
    return sum(parameter.nbytes for parameter in model.parameters())
