"""Draw the picture of the documentation: `python -m tests.report.pictures FOLDER`."""

import io
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from edge.report.page import page as page_of
from tests.page.browser import Page, chromium
from tests.page.pictures import FONTS
from tests.report.reports import report_of
from tests.support.days import a_day

WIDTH, HEIGHT, SHOWN_WIDTH = 1000, 1960, 800  # px: down to the first fall


def main(folder: Path) -> None:
    """The report of a constructed day, down to the fall."""
    with tempfile.TemporaryDirectory() as name:
        fonts, file = Path(name, "fonts.conf"), Path(name, "report.html")
        fonts.write_text(FONTS, encoding="utf-8")
        os.environ["FONTCONFIG_FILE"] = str(fonts)
        script = a_day(datetime(2026, 12, 1, tzinfo=UTC).timestamp())
        report, _ = report_of(Path(name), script)
        file.write_text(page_of(report), encoding="utf-8")
        with chromium() as driver:
            page = Page(driver)
            page.look((WIDTH, HEIGHT))
            page.open(file.as_uri())
            image = Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")
    image = image.resize((SHOWN_WIDTH, round(HEIGHT * SHOWN_WIDTH / WIDTH)), Image.Resampling.LANCZOS)
    path = folder / "report.webp"
    image.save(path, quality=82, method=6)
    sys.stdout.write(f"{path}: {path.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
