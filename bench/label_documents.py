"""How much memory and time the labels of 300 orders in one PDF take: ``python -m bench.label_documents``.

The labels are kept in files beforehand, by a process of its own, so that what is measured is a process that
does what the worker does and no more: it reads them one by one and writes the PDF into a file. The last kind
is as heavy as a label may be: noise, which nothing can compress.
"""

import io
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from local import arguments
from sandbox.parcels.labels import Label as PdfLabel
from sandbox.ubi.labels import Label as JpgLabel

LABELS = 300
_LINES = ("Ada Byrd", "401 Congress Ave", "Austin TX 78701")
_BODY = """
import sys, tempfile, time
from pathlib import Path
from parcelgate.domain.printouts import Layout
from parcelgate.services.labels.sheets import Sheets
imported = time.process_time()
with tempfile.TemporaryFile() as file:
    sheets = Sheets(file, Layout(sys.argv[2]))
    for path in sorted(Path(sys.argv[1]).iterdir()):
        sheets.add([path.read_bytes()], "4x6")
    pages = sheets.finish()
    size = sheets.size
# Of this program alone: what getrusage tells counts the process that started it, too.
(peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(pages, size // 1024, f"{time.process_time() - imported:.1f}", int(peak) // 1024)
"""


def main() -> None:
    """Print a line for each kind of label and layout."""
    print("| 300 labels | layout | pages | PDF, MB | CPU s | peak memory, MB |\n|---|---|---|---|---|---|")
    for name, make in {"PDF": pdf, "JPG": jpg, "PNG": png, "JPG of 3 MB": noise}.items():
        with tempfile.TemporaryDirectory() as folder:
            for place in range(LABELS):
                (Path(folder) / f"{place:03d}").write_bytes(make(f"BENCH{place:06d}"))
            for layout in ("as_is", "a4_4"):
                command = [sys.executable, "-c", _BODY, folder, layout]
                environment = os.environ | {"PYTHONPATH": "shared"}
                done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
                pages, size, seconds, peak = done.stdout.split()
                print(f"| {name} | `{layout}` | {pages} | {int(size) / 1024:.1f} | {seconds} | {peak} |")


def pdf(number: str) -> bytes:
    """A page of text and lines, as LSO gives it."""
    return PdfLabel("LSO", "Ground", number, _LINES, ("one",)).pdf()


def jpg(number: str) -> bytes:
    """A picture of 300 dots an inch, as UBI gives it."""
    return JpgLabel("UBI", number, _LINES, ("one",)).jpg(1, 300)


def png(number: str) -> bytes:
    """The same with transparency, which has to be taken apart."""
    out = io.BytesIO()
    Image.open(io.BytesIO(jpg(number))).convert("RGBA").save(out, "PNG", compress_level=1)
    return out.getvalue()


def noise(number: str) -> bytes:
    """A picture that is as large as few labels are."""
    out = io.BytesIO()
    dots = random.Random(number).randbytes(1500 * 2000)  # noqa: S311 - no secret
    Image.frombytes("L", (1500, 2000), dots).save(out, "JPEG", quality=95)
    return out.getvalue()


if __name__ == "__main__":
    arguments.none(__doc__)
    main()
