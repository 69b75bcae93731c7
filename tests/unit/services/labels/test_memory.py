"""Memory: a small file that becomes a large one costs its own label, and never the function."""

import io
import json
import os
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path

import pytest

from parcelgate.domain.printouts import Layout
from parcelgate.services.labels import memory, pdf_pages
from parcelgate.services.labels.pages import UnreadableLabelError
from parcelgate.services.labels.sheets import Sheets
from tests.support.printed import pdf_label

ROOT = Path(__file__).parents[4]
MB = 1024 * 1024


def pdf_of(*pages: bytes, more: tuple[bytes, ...] = ()) -> bytes:
    """A PDF of objects as they are: the entries of its pages, which are objects 3 and on, and `more`."""
    kids = b" ".join(b"%d 0 R" % (3 + place) for place in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [ %s ] >>" % (len(pages), kids),
        *(b"<< /Type /Page /Parent 2 0 R /MediaBox [ 0 0 288 432 ] %s >>" % page for page in pages),
        *more,
    ]
    out, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n%s" % (1 + len(objects), table)
    tail = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (1 + len(objects), len(out))
    return out + head + tail


def stream(entries: bytes, data: bytes) -> bytes:
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(data), data)


def blanks(count: int) -> bytes:
    """So many blanks, deflated piece by piece."""
    deflate = zlib.compressobj(9)
    return (
        b"".join(deflate.compress(b" " * min(MB, count - at)) for at in range(0, count, MB)) + deflate.flush()
    )


def pages_of_blanks(count: int, size: int) -> bytes:
    pages = [b"/Contents %d 0 R" % (3 + count + place) for place in range(count)]
    return pdf_of(*pages, more=(stream(b"/Filter /FlateDecode", blanks(size)),) * count)


def stamps(count: int, size: int) -> bytes:
    """A page with so many stamps, all of the same look of `size` bytes."""
    look = stream(b"/Type /XObject /Subtype /Form /BBox [ 0 0 1 1 ]", b" " * size)
    page = b"/Annots [ %s ]" % (b"4 0 R " * count)
    return pdf_of(page, more=(b"<< /Subtype /Stamp /F 4 /Rect [ 0 0 9 9 ] /AP << /N 5 0 R >> >>", look))


def add(document: bytes) -> None:
    Sheets(io.BytesIO(), Layout.AS_IS).add([document], "4x6")


def test_what_a_label_draws_is_counted_over_all_its_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_pages, "_MOST_DECODED", 5 * MB // 2)
    add(pages_of_blanks(2, MB))
    with pytest.raises(UnreadableLabelError, match="too much to draw"):
        add(pages_of_blanks(3, MB))


def test_what_is_copied_of_a_label_is_counted_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_pages, "_MOST_COPIED", 5 * MB // 2)
    add(stamps(2, MB))
    with pytest.raises(UnreadableLabelError, match="too much to draw"):
        add(stamps(3, MB))


def test_a_page_of_one_stream_is_bounded_as_one_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_pages, "_MOST_CONTENT", MB // 2)
    with pytest.raises(UnreadableLabelError, match="too much to draw"):
        add(pages_of_blanks(1, MB))


LIMITED = """
import io, json
from pathlib import Path
from parcelgate.carriers.errors import LabelPendingError
from parcelgate.carriers.results import LabelFile
from parcelgate.domain.printouts import Layout
from parcelgate.services.labels.documents import joined
from parcelgate.services.labels.pages import UnreadableLabelError
from parcelgate.services.labels.sheets import Sheets

files = [Path(name).read_bytes() for name in {files}]
told = []

class Worker:
    def work(self, body, deadline):
        out = io.BytesIO()
        sheets = Sheets(out, Layout.AS_IS)
        for file in files:
            try:
                sheets.add([file], "4x6")
                told.append("printed")
            except UnreadableLabelError as error:
                told.append(str(error))
        told.append(sheets.finish())

def print_all():
    from functions.print_labels.handler import handler
    from parcelgate.runtime import runtime
    from tests.support.api import Context

    runtime.use(printout_worker=Worker())
    record = {{"messageId": "1", "body": "", "eventSource": "aws:sqs"}}
    assert handler({{"Records": [record]}}, Context()) == {{"batchItemFailures": []}}

def join_all():
    try:
        joined([LabelFile(reference=str(place), format="", content=file) for place, file in enumerate(files)])
        told.append("joined")
    except LabelPendingError as error:
        told.append(str(error))

{do}()
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print("\\n" + json.dumps([told, int(peak.split()[1]) // 1024]))
"""


def limited(folder: Path, do: str, *files: bytes, megabytes: int) -> tuple[list[str | int], int]:
    """What becomes of labels in a function of this size, and the most memory that it had, in megabytes."""
    names = []
    for place, content in enumerate(files):
        names.append(str(folder / str(place)))
        Path(names[-1]).write_bytes(content)
    environment = os.environ | {
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(megabytes),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'shared'}",
    }
    program = textwrap.dedent(LIMITED).format(files=names, do=do)
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told, peak = json.loads(done.stdout.splitlines()[-1])
    return told, peak


def overlapping(count: int, size: int) -> bytes:
    """A PDF of `size` bytes with so many stamps, the look of each holding the looks of all that follow."""
    heads, end = [], size
    for place in reversed(range(count)):
        head = b"%d 0 obj\n<< /Type /XObject /Subtype /Form /BBox [ 0 0 1 1 ] /Length %d >>\nstream\n"
        heads.append(head % (4 + place, end))
        end += len(heads[-1])
    notes = b"".join(
        b"<< /Subtype /Stamp /F 4 /Rect [ 0 0 9 9 ] /AP << /N %d 0 R >> >> " % (4 + place)
        for place in range(count)
    )
    whole = pdf_of(b"/Annots [ %s ]" % notes)
    body = whole[: whole.index(b"xref\n")]
    places = [body.index(b"%d 0 obj" % number) for number in (1, 2, 3)]
    for head in reversed(heads):
        places.append(len(body))
        body += head
    body += b" " * size + b"\nendstream\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return (
        body
        + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (
            1 + len(places),
            table,
            1 + len(places),
            len(body),
        )
    )


@pytest.mark.skipif(sys.platform != "linux", reason="Lambda's own system")
def test_a_label_that_takes_too_much_memory_is_left_out_and_its_neighbours_are_printed(
    tmp_path: Path,
) -> None:
    bomb, good = pages_of_blanks(20, 60 * MB), [pdf_label(f"GOOD-{n}") for n in range(3)]
    told, peak = limited(tmp_path, "print_all", good[0], bomb, good[1], bomb, good[2], megabytes=192)
    assert told == ["printed", "MemoryError", "printed", "MemoryError", "printed", 3]
    assert peak < 192


@pytest.mark.skipif(sys.platform != "linux", reason="Lambda's own system")
def test_carriers_labels_that_take_too_much_memory_are_not_ready(tmp_path: Path) -> None:
    told, peak = limited(tmp_path, "join_all", pdf_label("GOOD-1"), overlapping(200, 2 * MB), megabytes=192)
    assert told == ["a document that cannot be read"]
    assert peak < 192


def test_nothing_is_limited_elsewhere() -> None:
    """A limit on the computer of a developer would be one on all tests."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    memory.limit_memory()
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
