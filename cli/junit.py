"""JUnit XML of a test run, as CI systems read it: a suite a test file, a case a test."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from coordinator.testing import TestFile
from shared.errors import named
from shared.pytest_record import TestRecord

_KIND = {"failed": "failure", "error": "error", "skipped": "skipped", "xfailed": "skipped"}


def write(path: Path, files: list[TestFile]) -> None:
    """Write the report; LocalError if that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(report(files))
    except OSError as error:
        raise named(error, path, "writing") from error


def report(files: list[TestFile]) -> bytes:
    """The report; files that were not selected are suites of what their stored result says."""
    root = ET.Element("testsuites", name="windrow test")
    for file in files:
        record = file.record
        cases = _cases(file)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=file.test,
            tests=str(len(cases) or int(file.how == "failed")),
            failures=str(sum(outcome == "failed" for outcome in cases.values())),
            errors=str(sum(outcome == "error" for outcome in cases.values()) + int(file.how == "failed" and not cases)),
            skipped=str(sum(_KIND.get(outcome) == "skipped" for outcome in cases.values())),
            time=f"{file.seconds:.3f}",
        )
        properties = ET.SubElement(suite, "properties")
        for name, value in (("windrow.how", file.how), ("windrow.reason", file.reason)):
            ET.SubElement(properties, "property", name=name, value=value)
        for node, outcome in cases.items():
            assert record is not None
            _case(suite, node, outcome, record)
        if file.how == "failed" and not cases:
            case = ET.SubElement(suite, "testcase", classname=file.test, name="(collection)")
            ET.SubElement(case, "error", message="the job failed before a test ran")
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _cases(file: TestFile) -> dict[str, str]:
    """The tests of a file; a shard's record holds those of all its files."""
    tests = file.record.tests if file.record else {}
    return {node: outcome for node, outcome in tests.items() if node.partition("::")[0] == file.test}


def _case(suite: ET.Element, node: str, outcome: str, record: TestRecord) -> None:
    parts = node.split("::")
    classname = ".".join([parts[0].removesuffix(".py").replace("/", "."), *parts[1:-1]])
    seconds = record.seconds.get(node, 0.0)
    case = ET.SubElement(suite, "testcase", classname=classname, name=parts[-1], time=f"{seconds:.6f}")
    if outcome in _KIND:
        text = _printable(record.texts.get(node, ""))
        lines = text.strip().splitlines()
        told = ET.SubElement(case, _KIND[outcome], message=lines[-1] if lines else outcome)
        told.text = text


def _printable(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return "".join(c for c in text if c in "\t\n" or 0x20 <= ord(c) < 0xD800 or 0xE000 <= ord(c) < 0xFFFE)
