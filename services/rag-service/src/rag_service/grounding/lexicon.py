"""Words that carry facts, in English, Dutch, German, Spanish and French; all as `normalised` writes them."""

from __future__ import annotations

from rag_service.keyword.normalisation import normalised


def _by_word(rows: dict[str, str]) -> dict[str, str]:
    return {normalised(word): key for key, words in rows.items() for word in words.split()}


NUMBER_WORDS = _by_word(
    {
        "2": "two twee zwei dos deux",
        "3": "three drie drei tres trois",
        "4": "four vier cuatro quatre",
        "5": "five vijf fünf cinco cinq",
        "6": "six zes sechs seis",
        "7": "seven zeven sieben siete sept",
        "8": "eight acht ocho huit",
        "9": "nine negen neun nueve neuf",
        "10": "ten tien zehn diez dix",
        "11": "eleven elf once onze",
        "12": "twelve twaalf zwölf doce douze",
        "13": "thirteen dertien dreizehn trece treize",
        "14": "fourteen veertien vierzehn catorce quatorze",
        "15": "fifteen vijftien fünfzehn quince quinze",
        "16": "sixteen zestien sechzehn dieciséis seize",
        "17": "seventeen zeventien siebzehn diecisiete",
        "18": "eighteen achttien achtzehn dieciocho",
        "19": "nineteen negentien neunzehn diecinueve",
        "20": "twenty twintig zwanzig veinte vingt",
        "30": "thirty dertig dreißig treinta trente",
        "40": "forty veertig vierzig cuarenta quarante",
        "50": "fifty vijftig fünfzig cincuenta cinquante",
        "60": "sixty zestig sechzig sesenta soixante",
        "70": "seventy zeventig siebzig setenta",
        "80": "eighty tachtig achtzig ochenta",
        "90": "ninety negentig neunzig noventa",
        "100": "hundred honderd hundert cien cent",
        "1000": "thousand duizend tausend mil mille",
    }
)
"""One is an article in most of these languages, and left out."""

MONTHS_AND_DAYS = _by_word(
    {
        "m1": "january januari januar enero janvier jan",
        "m2": "february februari februar febrero février feb",
        "m3": "march maart märz marzo mars",
        "m4": "april abril avril apr",
        "m5": "mei mai mayo",
        "m6": "june juni junio juin jun",
        "m7": "july juli julio juillet jul",
        "m8": "august augustus agosto août aug",
        "m9": "september septiembre septembre sep sept",
        "m10": "october oktober octubre octobre oct okt",
        "m11": "november noviembre novembre nov",
        "m12": "december dezember diciembre décembre dec dez",
        "d1": "monday maandag montag lunes lundi",
        "d2": "tuesday dinsdag dienstag martes mardi",
        "d3": "wednesday woensdag mittwoch miércoles mercredi",
        "d4": "thursday donderdag donnerstag jueves jeudi",
        "d5": "friday vrijdag freitag viernes vendredi",
        "d6": "saturday zaterdag samstag sábado samedi",
        "d7": "sunday zondag sonntag domingo dimanche",
    }
)
"""May is a verb as well, and counts as a name where it is capitalised."""

NEGATIONS = frozenset(
    normalised(word)
    for word in (
        "not no never none neither nor nobody nothing nowhere cannot without hardly niet geen nooit niemand niets nergens zonder "
        "noch nicht kein keine keinen keinem keiner keines nie niemals niemand nichts nirgends ohne weder nunca nadie nada ningún "
        "ninguna ninguno sin tampoco ne pas jamais aucun aucune rien sans"
    ).split()
)

UNITS = {
    normalised(word): unit
    for unit, words in {
        "%": "% percent per-cent procent prozent porciento pourcent",
        "percentage point": "percentage-point",
        "€": "€ eur euro euros",
        "$": "$ usd dollar dollars dólares",
        "£": "£ gbp pound pounds pond pfund",
        "¥": "¥ yen yuan",
        "°C": "°c celsius",
        "°F": "°f fahrenheit",
        "mm": "mm millimetre millimetres millimeter millimeters",
        "cm": "cm centimetre centimetres centimeter centimeters zentimeter",
        "m": "m metre metres meter meters",
        "km": "km kilometre kilometres kilometer kilometers",
        "mi": "mi mile miles mijl mijlen meilen",
        "ft": "ft foot feet voet fuß",
        "in": "inch inches",
        "m²": "m² m2 sqm",
        "m³": "m³ m3",
        "km²": "km² km2",
        "g": "g gram grams gramm",
        "kg": "kg kilogram kilograms kilogramm kilo kilos",
        "t": "tonne tonnes ton tons tonnen",
        "lb": "lb lbs",
        "l": "l litre litres liter liters",
        "ml": "ml millilitre millilitres milliliter",
        "s": "second seconds seconde seconden sekunde sekunden",
        "min": "min minute minutes minuut minuten",
        "h": "h hour hours uur uren stunde stunden",
        "d": "day days dag dagen tag tage tagen",
        "week": "week weeks weken woche wochen",
        "month": "month months maand maanden monat monate monaten",
        "year": "year years jaar jaren jahr jahre jahren",
        "kB": "kb", "MB": "mb", "GB": "gb", "TB": "tb",
        "V": "v volt volts", "W": "w watt watts", "kW": "kw", "MW": "mw", "Hz": "hz", "kHz": "khz", "MHz": "mhz", "GHz": "ghz",
        "bar": "bar", "million": "million millions miljoen million millionen mio",
        "billion": "billion billions miljard milliarde milliarden", "thousand": "thousand duizend tausend",
    }.items()
    for word in words.split()
}  # fmt: skip

_PAIRS = (
    "before after; above below; more less; more fewer; increase decrease; increased decreased; increases decreases; rise fall; "
    "rose fell; higher lower; highest lowest; largest smallest; larger smaller; longest shortest; first last; open closed; opens "
    "closes; allowed forbidden; allowed prohibited; always never; all none; win lose; won lost; north south; east west; northern "
    "southern; eastern western; left right; minimum maximum; male female; true false; same different; with without; buy sell; "
    "bought sold; voor na; meer minder; hoger lager; hoogste laagste; grootste kleinste; eerste laatste; open gesloten; noorden "
    "zuiden; oosten westen; vor nach; mehr weniger; höher niedriger; größte kleinste; größten kleinsten; erste letzte; norden süden; "
    "osten westen; geöffnet geschlossen"
)
OPPOSITES = [
    (a, b)
    for pair in _PAIRS.split("; ")
    for first, second in [tuple(map(normalised, pair.split()))]
    for a, b in ((first, second), (second, first))
]
