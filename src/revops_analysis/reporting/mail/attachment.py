"""The whole run as one file to attach, pages in a zip or the PDF: the same bytes for the same run."""

from __future__ import annotations

import io
import zipfile

from revops_analysis.errors import ConfigurationError
from revops_analysis.reporting.mail.run_folder import MailedRun
from revops_analysis.reporting.manifest import MANIFEST
from revops_analysis.reporting.preparation import report_folder

_MOMENT = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say; the run's own dates are in its manifest
_READABLE = 0o644 << 16


def zipped(run: MailedRun) -> bytes:
    """All files of the run, in a folder of its name; each is checked against the manifest on its way in.

    Raises ConfigurationError for a file that is missing or changed.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(run.manifest["files"]):
            archive.writestr(_entry(run, name), run.read(name))
        archive.writestr(_entry(run, MANIFEST), (run.folder / MANIFEST).read_bytes())
    return buffer.getvalue()


def pdf_of(run: MailedRun) -> bytes:
    """The run's PDF, checked against the manifest.

    Raises ConfigurationError for a run that has none, with the reason that its manifest gives.
    """
    made = run.manifest.get("pdf") or {}
    if not made.get("file"):
        raise ConfigurationError(
            "The run has no PDF to attach.",
            found=made.get("reason") or "it was rendered before there were any",
            where=run.place,
            fix="render it with `revops report … --pdf`, or set REVOPS_MAIL_PAGE to zip, link or none",
        )
    return run.read(made["file"])


def file_name(run: MailedRun, ending: str) -> str:
    """File name of an attachment; of a zip it is also the name of the folder in it."""
    return f"{_stem(run)}.{ending}"


def _stem(run: MailedRun) -> str:
    manifest = run.manifest
    report = report_folder(manifest["report"], run.cut)
    parts = (report, manifest["source"], manifest["as_of"], manifest["period"], run.folder.name)
    return "-".join(parts).replace("..", "_")


def _entry(run: MailedRun, name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(f"{_stem(run)}/{name}", _MOMENT)
    entry.external_attr = _READABLE
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
