from __future__ import annotations

from workers.execute.showincludes import parse_showincludes

ENGLISH = "Note: including file:"


def test_headers_are_told_from_what_is_for_people() -> None:
    headers, rest = parse_showincludes(
        "main.cpp\r\nNote: including file: a.h\r\nNote: including file:   sub\\b.h\r\nwarning: x\r\n", ENGLISH
    )

    assert headers == ("a.h", "sub/b.h")
    assert rest == "warning: x\n"


def test_a_prefix_of_another_language() -> None:
    assert parse_showincludes("Hinweis: a.h\nNote: including file: b.h\n", "Hinweis:") == (
        ("a.h",),
        "Note: including file: b.h\n",
    )


def test_headers_of_the_system_are_left_out_and_each_is_named_once() -> None:
    headers, rest = parse_showincludes(
        "Note: including file: C:\\Program Files\\x.h\n"
        "Note: including file: D:\\Microsoft Visual Studio 14\\y.h\n"
        "Note: including file: ./a.h\nNote: including file: a.h\n",
        ENGLISH,
    )

    assert (headers, rest) == (("a.h",), "")
