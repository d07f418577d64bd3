"""docs/benchmarks.md shows what was recorded, and no other figures."""

from __future__ import annotations

import json

from benchmarks import report


def test_the_page_shows_what_was_recorded():
    text = report.PAGE.read_text()

    assert text == report.page(text), "python -m benchmarks.report"


def test_a_table_tells_where_it_is_from_and_how_others_fared(tmp_path):
    rows = [
        {
            "name": "clean",
            "who": "windrow",
            "wall": 2.0,
            "spread": [1.5, 2.5],
            "cpu": 3.0,
            "ratio": 0,
            "count": 7,
            "note": "",
        },
        {
            "name": "clean",
            "who": "a | b",
            "wall": 1.0,
            "spread": [1, 1],
            "cpu": 0,
            "ratio": 2.0,
            "count": -1,
            "note": "x",
        },
    ]
    told = {"title": "Both", "date": "2026-01-02T03:04:05", "commit": "abc", "load": [0.1, 0.2], "rows": rows}
    (tmp_path / "real-x.json").write_text(json.dumps(told))

    page = report.page(f"# Words\n\n{report.MARK}old", tmp_path)

    assert page.startswith(f"# Words\n\n{report.MARK}\n### Both\n")
    assert "2026-01-02, commit abc, load 0.1 before and 0.2 after" in page
    assert "| clean | windrow | 2.000 | 1.500 to 2.500 | 3.000 |  | 7 executed |" in page
    assert "|  | a / b | 1.000 |  |  | 2.00 | x |" in page
    assert "old" not in page
