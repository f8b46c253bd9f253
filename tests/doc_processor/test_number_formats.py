"""Numbers as spreadsheets show them; the expected texts are those of office programs."""

from __future__ import annotations

import pytest

from doc_processor.number_formats import general, is_date, shown, shown_text, shows_nothing


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (0.075, "0.0%", "7.5%"),
        (0.075, "0%", "8%"),
        (0.075, "0.0 %", "7.5 %"),
        (1.5, "0.00%", "150.00%"),
        (1234.5, '#,##0.00 "€"', "1.234,50 €"),
        (1234.5, "#,##0.00 [$€-407]", "1.234,50 €"),
        (1234567.891, "#,##0.00 [$€-40C]", "1\u00a0234\u00a0567,89 €"),
        (1234.5, "[$€-413] #,##0.00", "€ 1.234,50"),
        (1234.5, "[$$-409]#,##0.00", "$1,234.50"),
        (1234.5, "[$£-809]#,##0.00", "£1,234.50"),
        (1234.5, "[$CHF-807] #,##0.00", "CHF 1’234.50"),
        (-1234.5, '"$"#,##0.00_);("$"#,##0.00)', "($1,234.50)"),
        (-1234.5, "#,##0.00;[Red]-#,##0.00", "-1,234.50"),
        (-5, "0.0", "-5.0"),
        (-0.001, "0.0", "0.0"),
        (0, '0;-0;"none"', "none"),
        (0, '#,##0;-#,##0;"-"', "-"),
        (42, "000000", "000042"),
        (4930123, "000-0000", "493-0123"),
        (5, "00-00", "00-05"),
        (12.5, "0.###", "12.5"),
        (12, "0.###", "12"),
        (0.5, "#.##", ".5"),
        (1234567, "#,##0,", "1,235"),
        (1234567, '0.0,,"M"', "1.2M"),
        (12345, "0.00E+00", "1.23E+04"),
        (0.00012, "0.0E+0", "1.2E-4"),
        (12345, "##0.0E+0", "12.3E+3"),
        (999999, "0.0E+00", "1.0E+06"),
        (2.75, "# ?/?", "2 3/4"),
        (0.3333, "# ??/??", "1/3"),
        (2.5, "# ?/8", "2 4/8"),
        (3, "# ?/?", "3"),
        (1.25, "?/?", "5/4"),
        (42, '"No. "0', "No. 42"),
        (42, "0\\ \\k\\g", "42 kg"),
        (42, '0 "pcs."', "42 pcs."),
        (7, '[<10]"few";[>=10]"many"', "few"),
        (12, '[<10]"few";[>=10]"many"', "many"),
        (1500, '[>=1000]0.0,"k";0', "1.5k"),
        (12, '[>=1000]0.0,"k";0', "12"),
        (-3, "[Blue]0;[Red](0)", "(3)"),
        (1, '"yes";;"no"', "yes"),
        (0, '"yes";;"no"', "no"),
        (3, "General", "3"),
        (3, 'General" kg"', "3 kg"),
        (42, "@", "42"),
        (1234.5678, "#,##0.00_ ;-#,##0.00", "1,234.57"),
        (2.5, "0", "3"),
        (1.005, "0.00", "1.01"),
    ],
)
def test_numbers(value: float, code: str, text: str) -> None:
    assert shown(value, code) == text


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (46096, "dd.mm.yyyy", "15.03.2026"),
        (46096, "yyyy-mm-dd", "2026-03-15"),
        (46096, "mm-dd-yy", "2026-03-15"),
        (46096.25, "m/d/yy h:mm", "2026-03-15 6:00"),
        (46096, "d-mmm-yy", "15-Mar-26"),
        (46096, "mmm-yy", "Mar-26"),
        (46096, "d. mmmm yyyy", "15. March 2026"),
        (46096, "[$-407]d. mmmm yyyy", "15. März 2026"),
        (46096, "[$-413]dddd d mmmm yyyy", "zondag 15 maart 2026"),
        (46096, "[$-F800]dddd, mmmm dd, yyyy", "Sunday, March 15, 2026"),
        (46096, "dddd", "Sunday"),
        (46096, 'yyyy"年"m"月"d"日"', "2026年3月15日"),
        (46096.5, "dd/mm/yyyy hh:mm", "15/03/2026 12:00"),
        (46096.5, 'dd.mm.yy hh:mm "Uhr"', "15.03.26 12:00 Uhr"),
        (0.2708333333333333, "h:mm:ss", "6:30:00"),
        (0.2708333333333333, "hh:mm", "06:30"),
        (0.75, "h:mm AM/PM", "6:00 PM"),
        (0.0, "h:mm AM/PM", "12:00 AM"),
        (1.09375, "[h]:mm", "26:15"),
        (1.09375, "[h]:mm:ss", "26:15:00"),
        (1.09375, "[mm]:ss", "1575:00"),
        (0.5 / 86400, "s.00", "0.50"),
        (83.25 / 86400, "mm:ss.0", "01:23.3"),
        (-0.5, "[h]:mm", "-12:00"),
        (59, "yyyy-mm-dd", "1900-02-28"),
        (1, "yyyy-mm-dd", "1900-01-01"),
    ],
)
def test_dates_and_times(value: float, code: str, text: str) -> None:
    assert is_date(code)
    assert shown(value, code) == text


def test_dates_of_the_1904_system() -> None:
    assert shown(44634, "dd.mm.yyyy", since_1904=True) == "15.03.2026"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (1e20, "1E+20"),
        (1.5e-7, "1.5E-07"),
        (123456789012, "123456789012"),
        (-0.25, "-0.25"),
        (7.0, "7"),
    ],
)
def test_general(value: float, text: str) -> None:
    assert general(value) == text


def test_texts_by_their_section() -> None:
    assert shown_text("K2", '0;-0;0;"Valve "@') == "Valve K2"
    assert shown_text("K2", "@") == shown_text("K2", "0.00") == shown_text("K2", "General") == "K2"


def test_a_format_that_hides_is_told() -> None:
    assert shows_nothing(";;;")
    assert not shows_nothing("0;;")
    assert not shows_nothing("General")


@pytest.mark.parametrize(
    "code", ["[", '"', "\\", "0" * 5000, "[" * 900, "E+E+E+", "?/?/?", "[h", "y" * 999, ";;;;;;", "0/0", "#,,,,"]
)
@pytest.mark.parametrize("value", [0.0, -1.5, 1e300, 5e-324, 1e15, float("inf")])
def test_no_format_fails(value: float, code: str) -> None:
    assert isinstance(shown(value, code), str)
