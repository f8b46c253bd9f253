"""Words that ask for a calculation, in English, Dutch, German, Spanish and French; normalised, so without accents."""

from __future__ import annotations

from typing import Literal, TypeAlias

Operation: TypeAlias = Literal["max", "min", "sum", "average", "count", "filter", "lookup"]

MAX = r"most|highest|greatest|maximum|meeste|hoogste|meisten|hochsten?|maxim[oa]|mas altos?|mas altas?|le plus|la plus|les plus"
MIN = r"least|fewest|lowest|minimum|minste|laagste|wenigsten|niedrigsten?|minim[oa]|mas baj[oa]s?|le moins|la moins|les moins"
SUM = r"in total|total|altogether|sum|combined|in totaal|totaal|totale|bij elkaar|som|insgesamt|zusammen|summe|gesamt\w*|suma|en total|somme|au total"
AVERAGE = r"on average|average|mean|gemiddelde?|durchschnitt\w*|promedio|en moyenne|moyenne?"
HOW_MUCH = r"how much|how|hoe|wie viel|wie|cuant[oa]|combien"
COUNT = r"how many|number of|hoeveel|wie viele|cuant[oa]s|combien de|combien d"
WHICH = (
    r"which|what|who|list|show|name|welke|wat|wie|noem|toon|welche[rsnm]?|wer|nenne|zeige|que|cual\w*|quel\w*|qui|liste"
)

IGNORED = frozenset(
    """all any each every much many do does did has have had get gets table list sheet file document row column value
    record entry overview alle elke ieder veel heeft hebben tabel lijst jede jeder jedes viele hat haben tabelle liste todo
    todos tiene tienen tabla lista tous tout chaque ont tableau""".split()
)
"""Words of a question that set no condition."""

SUPERLATIVES: dict[str, tuple[Operation, str]] = {
    **dict.fromkeys(("most expensive", "dearest", "duurste", "teuersten?", "mas car[oa]s?", "plus chere?"), ("max", "price")),
    **dict.fromkeys(("least expensive", "cheapest", "goedkoopste", "gunstigsten?", "billigsten?", "mas barat[oa]s?", "moins chere?"), ("min", "price")),
    **dict.fromkeys(("largest", "biggest", "grootste", "gro(?:ß|ss)ten?", "mas grandes?", "plus grande?s?"), ("max", "size")),
    **dict.fromkeys(("smallest", "kleinsten?", "mas pequen[oa]s?", "plus petite?s?"), ("min", "size")),
    **dict.fromkeys(("heaviest", "zwaarste", "schwersten?"), ("max", "weight")),
    **dict.fromkeys(("lightest", "lichtste", "leichtesten?"), ("min", "weight")),
    **dict.fromkeys(("longest", "langste", "langsten?"), ("max", "length")),
    **dict.fromkeys(("shortest", "kortste", "kurzesten?"), ("min", "length")),
    **dict.fromkeys(("earliest", "vroegste", "fruhesten?"), ("min", "date")),
    **dict.fromkeys(("latest", "laatste", "spatesten?"), ("max", "date")),
}  # fmt: skip
"""Patterns of superlatives that say by themselves what is compared: a key of `KINDS`."""

KINDS: dict[str, frozenset[str]] = {
    "price": frozenset("price prices cost costs expensive fee rate euro euros € prijs prijzen kost kosten tarief preis preise kostet precio cuesta prix coute".split()),
    "weight": frozenset("weight weighs heavy kg zwaar schwer gewicht weegt wiegt peso poids".split()),
    "length": frozenset("length long duration hours minutes days lengte duur lange dauer uren stunden".split()),
    "date": frozenset("date day when from until since deadline datum dag wanneer wann fecha".split()),
    "size": frozenset("size area large big surface oppervlakte groot grootte flache gross grosse superficie m2 m²".split()),
    "amount": frozenset("amount quantity number count stock aantal hoeveelheid voorraad anzahl menge bestand cantidad nombre".split()),
}  # fmt: skip
"""Words that mean the same kind of column."""

ABOVE = r"(?:costs? )?more (?:expensive )?than|over|above|greater than|higher than|at least|meer dan|hoger dan|minstens|boven|mehr als|uber|hoher als|mindestens|mas de|plus de"
BELOW = r"(?:costs? )?less than|under|below|fewer than|lower than|cheaper than|at most|minder dan|lager dan|hoogstens|hooguit|onder|weniger als|unter|hochstens|menos de|moins de"
INCLUSIVE = r"at least|at most|minstens|hoogstens|hooguit|mindestens|hochstens"

TOTALS = frozenset("total totals subtotal sum totaal subtotaal summe gesamt zwischensumme totales somme".split())
"""First cells of rows that sum up others."""

TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "max": "{names}: the highest “{column}” of {rows} rows, {value}.",
        "min": "{names}: the lowest “{column}” of {rows} rows, {value}.",
        "sum": "The sum of “{column}” over {rows} rows is {value}.",
        "average": "The average of “{column}” over {rows} rows is {value}.",
        "count": "{count}: {names}.",
        "filter": "{count} of {rows} rows: {names}.",
        "none": "None of {rows} rows.",
        "lookup": "{names}: “{column}” is {value}.",
    },
    "nl": {
        "max": "{names}: de hoogste waarde van “{column}” in {rows} rijen, {value}.",
        "min": "{names}: de laagste waarde van “{column}” in {rows} rijen, {value}.",
        "sum": "De som van “{column}” over {rows} rijen is {value}.",
        "average": "Het gemiddelde van “{column}” over {rows} rijen is {value}.",
        "count": "{count}: {names}.",
        "filter": "{count} van {rows} rijen: {names}.",
        "none": "Geen van {rows} rijen.",
        "lookup": "{names}: “{column}” is {value}.",
    },
    "de": {
        "max": "{names}: der höchste Wert von „{column}“ in {rows} Zeilen, {value}.",
        "min": "{names}: der niedrigste Wert von „{column}“ in {rows} Zeilen, {value}.",
        "sum": "Die Summe von „{column}“ über {rows} Zeilen ist {value}.",
        "average": "Der Durchschnitt von „{column}“ über {rows} Zeilen ist {value}.",
        "count": "{count}: {names}.",
        "filter": "{count} von {rows} Zeilen: {names}.",
        "none": "Keine von {rows} Zeilen.",
        "lookup": "{names}: „{column}“ ist {value}.",
    },
}
"""What is said of a calculation, by the question's language; English for all others."""
