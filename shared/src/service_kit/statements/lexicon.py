"""Words that carry facts, in English, Dutch, German, Spanish and French; all as `normalised` writes them."""

from __future__ import annotations

from service_kit.statements.normalisation import normalised


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

_ONES = {
    "1": "one een ein un", "2": "two twee zwei", "3": "three drie drei", "4": "four vier vier", "5": "five vijf fünf",
    "6": "six zes sechs", "7": "seven zeven sieben", "8": "eight acht acht", "9": "nine negen neun",
}  # fmt: skip


def _compounds() -> dict[str, str]:
    """Return twenty-one to ninety-nine: tens first in English, ones first in Dutch and German."""
    tens = {word: key for word, key in NUMBER_WORDS.items() if len(key) == 2 and key.endswith("0") and key != "10"}
    return {
        compound: str(int(key) + int(one))
        for ten, key in tens.items()
        for one, words in _ONES.items()
        for word in map(normalised, words.split())
        for compound in (f"{ten}-{word}", f"{word}en{ten}", f"{word}und{ten}")
    }


NUMBER_WORDS |= _compounds()

ORDINALS = _by_word(
    {
        "1": "one first eerste erste ersten erster",
        "2": "second tweede zweite zweiten zweiter",
        "3": "third derde dritte dritten dritter",
        "4": "fourth vierde vierte vierten",
        "5": "fifth vijfde fünfte fünften",
        "6": "sixth zesde sechste sechsten",
        "1/2": "half helft hälfte",
        "1/4": "quarter kwart viertel",
    }
)
"""Numbers where one stands in the place of another; elsewhere they have other meanings."""
_IRREGULAR = _by_word(
    {
        "5": "fifth",
        "7": "siebte siebten",
        "8": "eighth achtste achte achten",
        "9": "ninth",
        "12": "twelfth",
        "20": "twentieth",
        "30": "thirtieth",
    }
)
DAYS_OF_MONTH = {
    f"{word}{ending}": key
    for word, key in NUMBER_WORDS.items()
    if int(key) <= 31
    for ending in ("th", "de", "ste", "te", "ten", "sten")
} | {word: key for word, key in (ORDINALS | _IRREGULAR).items() if "/" not in key}
DAYS_OF_MONTH |= {
    f"{ten}-{word}": str(tens + int(DAYS_OF_MONTH[word]))
    for ten, tens in (("twenty", 20), ("thirty", 30))
    for word in "first second third fourth fifth sixth seventh eighth ninth".split()
}
"""The first to the thirty-first, as a date says them."""

MAGNITUDES = {
    normalised(word): factor
    for factor, words in {
        100: "hundred honderd hundert",
        1_000: "thousand duizend tausend",
        1_000_000: "million millions miljoen millionen millón millones mio mln",
        1_000_000_000: "billion billions bn miljard mld milliarde milliarden mrd",
    }.items()
    for word in words.split()
}
MONEY_MAGNITUDES = {"k": "thousand", "m": "million", "b": "billion", "bn": "billion"}
"""Behind an amount with a currency only."""

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
        "bar": "bar", "Pa": "pa pascal", "kPa": "kpa", "psi": "psi", "kV": "kv", "mV": "mv", "mA": "ma", "A": "amp amps ampere",
        "kWh": "kwh", "MWh": "mwh", "GW": "gw", "GWh": "gwh", "kJ": "kj", "kcal": "kcal", "dB": "db", "rpm": "rpm", "ha": "ha hectare hectares",
        "acre": "acre acres", "gal": "gallon gallons", "oz": "oz ounce ounces", "yd": "yard yards", "ms": "ms", "mg": "mg",
        "decade": "decade decades", "century": "century centuries eeuw eeuwen jahrhundert jahrhunderte",
    }.items()
    for word in words.split()
}  # fmt: skip

_PAIRS = (
    "before after; arrival departure; arrive depart; arrives departs; above below; least most; minimum maximum; minstens hoogstens; mindestens höchstens; safe unsafe; must may;  more less; more fewer; increase decrease; increased decreased; increases decreases; rise fall; "
    "rose fell; higher lower; highest lowest; largest smallest; larger smaller; longest shortest; first last; open closed; opens "
    "closes; allowed forbidden; allowed prohibited; always never; all none; win lose; won lost; north south; east west; northern "
    "southern; eastern western; left right; male female; true false; same different; with without; buy sell; "
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

CHATTER = frozenset(
    normalised(word)
    for word in (
        # Greetings, offers, and introductions: a sentence of nothing else claims nothing.
        "a about according all am an and answer answers any anything are as ask asked assist available based be below can "
        "context document documents do else feel files following for found free from further give given glad gladly happy have "
        "hello help helpful helps here hi hope i in information is it know let like me more my need of ok okay on passage "
        "passages please provided question questions relevant say says see so source sources summary sure thank thanks that "
        "the these this to us welcome what with would yes you your "
        "aan alle antwoord basis bronnen dag de deze dit document documenten een gevonden graag hallo helpen het hier hoop ik "
        "informatie is ja kan laat meer mij natuurlijk of om op over staat u uit uw van vraag vragen volgens volgende voor wat "
        "weten weet zegt zeggen "
        "auf aus bitte das dem den der die diese dieser dokumente dokumenten ein eine es fragen frage gerne guten tag helfen ich "
        "ihnen ihre informationen kann laut mir mit natürlich quellen sagen sie steht und unterlagen was wissen zu zur"
    ).split()
)

SOURCE_WORDS = frozenset(
    normalised(word)
    for word in (
        "i we context document documents file files information passage passages source sources text texts ik wij bron bronnen "
        "documenten informatie tekst teksten ich wir quelle quellen dokument dokumente dokumenten unterlagen informationen"
    ).split()
)
FINDING = frozenset(
    normalised(word)
    for word in (
        "address answer contain contained contains cover describe determine discuss discussed find found give given have help "
        "include included information know list mention mentioned mentions provide provided provides say says specified specify "
        "state stated tell beantwoorden bevat bevatten gevonden genoemd noemen noemt staat staan vermeld vermelden vermeldt vinden "
        "weet zeggen antworten beantworten enthalten enthält erwähnen erwähnt finden gefunden genannt sagen steht weiß"
    ).split()
)
UNABLE = frozenset("unable insufficient unclear unknown unfortunately sorry helaas leider".split())
ASKING = frozenset(
    normalised(
        "who whom whose what which when where why how wer wen wem wessen was welche welcher welches welchem welchen wann wo woher "
        "wohin warum wie wieviel wat welk welke wanneer waar waarom hoe hoeveel qui que quoi quel quelle quels quelles quand où "
        "pourquoi comment combien quién qué cuál cuándo dónde cómo cuánto cuántos cuántas"
    ).split()
)
"""Words that ask for something, rather than whether something is so."""
PRONOUNS = frozenset(
    normalised(word)
    for word in (
        "he she it they his her hers its their them him this these that those both hij zij ze het hun zijn haar deze dit die dat "
        "er sie es ihr ihre ihrer ihrem ihren sein seine seinem seinen seiner diese dieser dieses"
    ).split()
)
"""Words by which a sentence speaks of somebody that one before it named."""

GENERIC = frozenset(
    normalised(word)
    for word in (
        "amount amounts answer available called charge charged charges cost costs each every fee fees located named number open "
        "note notes price priced prices total hint opmerking hinweis "
        "antwoord bedraagt bedragen bedrag beschikbaar heet kost kosten prijs prijzen totaal antwort beträgt betragen betrag heißt "
        "insgesamt kostet preis preise verfügbar"
    ).split()
)
"""Words by which an answer says what kind of thing its fact is; they need not stand in the source, a table's least of all."""
RESTRICTIONS = frozenset(
    normalised(word)
    for word in "only solely exclusively alleen enkel slechts uitsluitend nur ausschließlich lediglich bloß".split()
)
