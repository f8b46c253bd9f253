from __future__ import annotations

import pytest

from doc_processor.text import clean, decode, decode_declared, tidy


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


def test_other_bytes_are_read_as_the_code_page_of_western_europe() -> None:
    decoded = decode("Café “Zur Mühle”, 5 €".encode("cp1252"))
    assert decoded.text == "Café “Zur Mühle”, 5 €"
    assert decoded.encoding == "cp1252"
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


KEY = {
    "gbk big5": ("泵房的钥匙在值班室的抽屉里。每周三更换过滤器。", "泵房的鑰匙在值班室的抽屜裡。每週三更換過濾器。"),
    "shift_jis euc_jp iso2022_jp": ("ポンプ室の鍵は当直室の引き出しにあります。毎週水曜日にフィルターを交換します。",)
    * 3,
    "euc_kr": ("펌프실 열쇠는 당직실 서랍에 있습니다. 매주 수요일에 필터를 교체합니다.",),
    "cp1251 koi8-r iso8859-5 cp866": ("Ключ от насосной лежит в ящике дежурной комнаты. Фильтры меняют по средам.",)
    * 4,
    "koi8-u": ("Ключ від насосної лежить у шухляді чергової кімнати. Фільтри міняють щосереди.",),
    "iso8859-2 cp1250": (
        "Klucz do pompowni leży w szufladzie dyżurki. Filtry wymienia się w każdą środę, żółte części też.",
    )
    * 2,
    "cp1254": ("Pompa odasının anahtarı nöbetçi odasının çekmecesinde. Filtreler her çarşamba değiştirilir.",),
    "cp1253 iso8859-7": ("Το κλειδί του αντλιοστασίου βρίσκεται στο συρτάρι. Τα φίλτρα αλλάζουν κάθε Τετάρτη.",) * 2,
    "cp1255": ("המפתח של חדר המשאבות נמצא במגירה. המסננים מוחלפים בכל יום רביעי.",),
    "cp1256": ("مفتاح غرفة المضخات في درج غرفة المناوبة. تستبدل المرشحات كل أربعاء.",),
    "cp874": ("กุญแจห้องปั๊มอยู่ในลิ้นชักของห้องเวร เปลี่ยนไส้กรองทุกวันพุธ",),
    "cp850": ("Der Schlüssel für den Pumpenraum liegt über der Schublade.",),
    "utf-16-le utf-16-be": (
        "泵房的钥匙在值班室的抽屉里。每周三更换过滤器。",
        "Ключ от насосной лежит в ящике дежурной комнаты.",
    ),
}
KEYS = [pair for names, texts in KEY.items() for pair in zip(names.split(), texts, strict=True)]


@pytest.mark.parametrize(("encoding", "text"), KEYS)
@pytest.mark.parametrize(
    "form", ["{}", "{0}\n{0}\n", "<html><body><p>{}</p></body></html>", "1\n00:00:01,000 --> 00:00:02,000\n{}\n"]
)
def test_a_sentence_in_any_file_is_enough_to_tell_its_encoding(encoding: str, text: str, form: str) -> None:
    document = form.format(text)
    assert decode(document.encode(encoding)).text == document


def test_rows_are_enough_to_tell_an_encoding() -> None:
    for encoding, text in KEYS:
        words = text.split()
        document = ";".join(words[:6]) + "\n1;2;3;4;5;6\n" + ";".join(words[-4:]) + "\n"
        assert decode(document.encode(encoding)).text == document


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        ("iso-8859-1", b"\x93quoted\x94 5 \x80", "“quoted” 5 €"),
        ("us-ascii", b"caf\xe9", "café"),
        ("gb2312", "镕".encode("gbk"), "镕"),
        ("ks_c_5601-1987", "똠".encode("cp949"), "똠"),
        ("shift_jis", "①".encode("cp932"), "①"),
        ("utf-8", b"\xff", None),
        ("punycode", b"a-" * 1000, None),
        ("unicode_escape", b"\\u0041", None),
        ("zlib", b"x", None),
        ("no\0thing", b"x", None),
    ],
)
def test_declared_encodings_are_what_browsers_take_them_for(charset: str, data: bytes, text: str | None) -> None:
    assert decode_declared(data, charset) == text
