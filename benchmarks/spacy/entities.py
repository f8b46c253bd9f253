"""Names by spaCy's small English model: reads texts, a JSON string a line, and writes [start, end, type] of each, a list a line."""

import json
import sys

import en_core_web_sm

TYPES = {"PERSON": "person", "ORG": "organisation", "GPE": "place", "LOC": "place", "FAC": "place"}


def start_of(name):
    """Return where a name begins without its article, which spaCy counts in and the annotators of Universal NER do not."""
    return name.start_char + (4 if name.text.lower().startswith("the ") else 0)


model = en_core_web_sm.load(disable=["tagger", "parser"])
for line in sys.stdin:
    names = model(json.loads(line)).ents
    found = [[start_of(name), name.end_char, TYPES[name.label_]] for name in names if name.label_ in TYPES]
    print(json.dumps(found), flush=True)  # noqa: T201
