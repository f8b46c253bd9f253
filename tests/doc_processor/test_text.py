from __future__ import annotations

import pytest

from doc_processor.text import clean, decode, tidy


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_decoded_without_a_guess(encoding: str) -> None:
    decoded = decode("Grüße aus Zürich, καλημέρα".encode(encoding))
    assert decoded.text == "Grüße aus Zürich, καλημέρα"
    assert not decoded.guessed
    assert decoded.replaced == 0


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_recognised(encoding: str) -> None:
    decoded = decode("A note of the harbour office".encode(encoding))
    assert decoded.text == "A note of the harbour office"
    assert decoded.guessed


def test_other_bytes_are_read_as_windows_1252() -> None:
    decoded = decode("Café “Zur Mühle”, 5 €".encode("cp1252"))
    assert decoded.text == "Café “Zur Mühle”, 5 €"
    assert decoded.encoding == "windows-1252"
    assert decoded.guessed


CHINESE = "会议于星期二举行。\n委员会决定种植四十棵椴树。"
JAPANESE = "会議は火曜日に開かれました。\nテストを注文してください。"
RUSSIAN = "Совет собрался во вторник\nи решил посадить сорок лип, Python"
POLISH = "Rada zebrała się we wtorek.\nPostanowiła posadzić czterdzieści lip, żółć."


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("gbk", CHINESE),
        ("gbk", "姓名;城市\n王伟;北京\n"),
        ("gbk", "使用Windows系统和Excel表格"),
        ("gbk", "编号,在职,性别\n1,是,男\n2,否,女\n3,是,女\n"),
        ("big5", "會議於星期二舉行。委員會決定種植四十棵椴樹。"),
        ("shift_jis", JAPANESE),
        ("shift_jis", "名前;都市\n田中;東京\n"),
        ("euc_kr", "회의는 화요일에 열렸습니다. 위원회는 나무를 심기로 결정했습니다."),
        ("cp1251", RUSSIAN),
        ("cp1251", "Имя;Город\nИван;Москва\nМ7;1200\n"),
        ("koi8-r", RUSSIAN),
        ("koi8-r", "Имя;Город\nИван;Москва\n"),
        ("iso8859-2", POLISH),
        ("iso8859-2", "Miasto\nŁódź\n"),
        ("cp1250", POLISH),
        ("cp1250", "Kraków, Łódź, Gdańsk, Poznań"),
        ("cp1253", "Το συμβούλιο συνεδρίασε την Τρίτη."),
        ("cp1252", "Name;Ort\nMüller;Köln\n"),
        ("cp1252", "naïve"),
        ("cp1252", "5 €"),
        ("cp1252", "20 °C"),
        ("cp1252", "Não há informação sobre a reunião; a decisão será amanhã."),
        ("cp1252", "L’été à l’île d’Oléron; «bonjour», 20 m² ± 5 µm à 3 £"),
        ("cp1252", "¿Dónde están los señores Núñez? ¡Sí!"),
    ],
)
@pytest.mark.parametrize("times", [1, 3000])
def test_older_encodings_are_guessed_and_said_to_be(encoding: str, text: str, times: int) -> None:
    document = "\n".join([text] * times)
    decoded = decode(document.encode(encoding))
    assert decoded.text == document
    assert decoded.guessed


@pytest.mark.parametrize(("encoding", "text"), [("cp1250", "Negyven hársfa ültetéséről döntött."), ("cp949", "서울")])
def test_a_guess_that_may_be_wrong_is_marked_as_one(encoding: str, text: str) -> None:
    assert decode(text.encode(encoding)).guessed


def test_damaged_utf_8_stays_utf_8() -> None:
    decoded = decode("Grüße, ".encode() * 5 + b"\xff\xfe" + "später".encode())
    assert decoded.encoding == "utf-8"
    assert decoded.replaced == 2
    assert decoded.text.endswith("später")


def test_what_a_database_or_reader_must_not_get_is_removed() -> None:
    hidden = "a\x00b\x07c\u200bd\u202ee\U000e0041f\ufeffg\ud800h\u00adi\x85j"
    assert clean(hidden) == "abcdefghij"
    assert clean(hidden).encode()


def test_joiners_line_breaks_and_tabs_stay() -> None:
    text = "می\u200cخواهم\t👩\u200d🚀\nnext"
    assert clean(text) == text


def test_letter_shapes_become_letters() -> None:
    assert clean("o\ufb03ce \ufedf\ufe8e") == "office لا"


def test_line_ends_are_unified() -> None:
    assert clean("a\r\nb\rc\u2028d") == "a\nb\nc\nd"


def test_tidy_leaves_one_blank_line() -> None:
    assert tidy("\n\na  \n\n\n\nb\t\n") == "a\n\nb"
