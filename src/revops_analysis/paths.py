"""Where files that settings name may lie: in their own folder, whatever `..` or links say."""

from __future__ import annotations

from pathlib import Path

from revops_analysis.errors import ConfigurationError

MARKER = Path("params") / "definitions.yml"
"""The file by which a project's folder is known."""


def stay_inside(path: Path, folder: Path, what: str) -> Path:
    """Return `path` with its links resolved; ConfigurationError, naming `what`, if it then lies outside `folder`.

    >>> stay_inside(Path("/srv/notebooks/a.ipynb"), Path("/srv/notebooks"), "A notebook").name
    'a.ipynb'
    """
    place = path.resolve()
    if not place.is_relative_to(folder.resolve()):
        raise ConfigurationError(
            f"{what} lies outside its folder.",
            expected=f"a file below {folder}",
            found=f"{path} leads to {place}",
            fix="put a copy into the folder; a path with `..` or a link that leads out of it is not followed",
        )
    return place


def home_of(file: Path) -> Path:
    """The folder that a file of settings may name other files in: the project that holds it, else its own folder."""
    return next((folder for folder in file.resolve().parents if (folder / MARKER).is_file()), file.resolve().parent)
