"""Static files under hashed names: one stylesheet in place of thirty, scripts without their comments."""

import re
from collections.abc import Iterator
from typing import Any

from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

MAIN_STYLESHEET = "css/main.css"
_OWN_SCRIPT = re.compile(r"js/[\w-]+\.js")
_IMPORT = re.compile(r'@import url\("(?P<name>[\w.-]+)"\) layer\((?P<layer>\w+)\);')


class StudioStaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise is untyped
    """Hashes and compresses; writes the files that `css/main.css` imports into it, each in its layer.

    A browser then asks once instead of once for each component. Scripts go without comments and indentation.
    With DEBUG everything is served as it was written.
    """

    def post_process(self, paths: dict[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
        """Do what Django does after copying; the stylesheet is joined and scripts are made bare first."""
        if not dry_run:
            paths = dict(paths)
            if MAIN_STYLESHEET in paths:
                self._replace(paths, MAIN_STYLESHEET, self._join(paths))
            for name in [name for name in paths if _OWN_SCRIPT.fullmatch(name)]:
                self._replace(paths, name, bare(self._read(paths, name)))
        yield from super().post_process(paths, dry_run=dry_run, **options)

    def _join(self, paths: dict[str, Any]) -> str:
        return _IMPORT.sub(
            lambda found: f"@layer {found['layer']} {{\n{self._read(paths, 'css/' + found['name'])}}}\n",
            self._read(paths, MAIN_STYLESHEET),
        )

    def _read(self, paths: dict[str, Any], name: str) -> str:
        storage, path = paths[name]
        with storage.open(path) as file:
            return str(file.read().decode())

    def _replace(self, paths: dict[str, Any], name: str, text: str) -> None:
        self.delete(name)
        self._save(name, ContentFile(text.encode()))
        paths[name] = (self, name)


def bare(script: str) -> str:
    """Return a script without indentation, empty lines and lines that are comments.

    Ours have comments only on lines of their own where they are removed, and no text that goes over lines.
    """
    lines = (line.strip() for line in script.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))
