"""What people say in meetings when they ask, promise, propose and agree, in English, German and Dutch."""

from __future__ import annotations

import re
from collections.abc import Collection

from llm_providers.transcripts import LIGHT, named

_NAME = r"([^\W\d_a-z][\w'-]{1,40}(?: [^\W\d_a-z][\w'-]{1,40})?)"


def _any(phrases: str, before: str = r"\b", after: str = r"(?![\w'’])") -> re.Pattern[str]:
    """Compile phrases that `;` separates."""
    choices = "|".join(phrases.strip().split("; "))
    return re.compile(f"{before}(?:{choices}){after}", re.IGNORECASE)


_FILLERS = (
    r"^\W*(?:(?:oh|ah|well|um|yeah|yes|no|okay|ok|all ?right|right|good|great|fine|fair enough|true|lovely|and|but|so|then|also|ja|gut|und|"
    r"dann|en|dus|dan|mooi)\b[\s,.]{1,3}){0,4}"
)
ASSENT = _any(
    r"yes; yeah; yep; true; sure; okay; ok; fine; agreed; absolutely; certainly; of course; exactly; definitely; with pleasure; gladly; "
    r"noted; done; deal; seconded; why not; no (?:objections?|problem); sounds \w+; works for me; same(?: here)?; me too; "
    r"i(?:'m| am) (?:for it|in|fine|happy|all for); i agree; i think so; i(?:'d| would) say so; i like (?:it|that); i (?:can|could) live with; "
    r"that(?:'s| is| would be) (?:fine|good|right|great|fair|perfect|what i); much better; perfect; brilliant; very fair; good(?: idea)?(?! (?:night|morning|afternoon|evening)); "
    r"all right; will do; happy to; already; "
    r"ja; gerne?; klar; einverstanden; genau; in ordnung; (?:das )?passt; (?:das )?mach(?:e)? ich; natürlich; sehr gut; gut; prima; meinetwegen; "
    r"von mir aus; das (?:klingt|schaffe); finde ich gut; schon dabei; "
    r"akkoord; goed; doe ik; zeker; natuurlijk; komt goed; daar ben ik; wat mij betreft; oké; graag",
    _FILLERS,
)
ASSENT_AT_END = _any(r"yes; ja; sure; noted; okay; agreed", after=r"\W*$")
REFUSAL = _any(
    r"i (?:really |honestly |just )?(?:can't|cannot|can not|won't|will not|couldn't); (?:i'd |i would )?rather not; not me; i(?:'m| am) (?:really |too )?(?:full|busy|against); "
    r"i disagree; no way; i have enough; (?:that|it) (?:won't|can't|doesn't) work; "
    r"kann ich (?:das |es )?(?:leider )?nicht; ich kann (?:das |es )?(?:leider )?nicht; schaffe ich nicht; lieber nicht; auf keinen fall; "
    r"ich bin dagegen; kan ik niet; ik kan (?:dat |het )?(?:helaas )?niet; lukt (?:me )?niet; liever niet; ik ben tegen"
)
OBJECTION = _any(
    r"no(?! (?:objection|problem)); not (?!bad)\w+; never; i (?:disagree|don't (?:think|like|agree)|doubt); but; hold on; "
    r"nein; ich würde (?:erst|lieber); aber; nee; maar",
    r"^\W*(?:oh,? |well,? |hm,? )?",
)
THANKS = _any(
    r"please do; do (?:that|it); would you\?; try (?:it|that); go (?:ahead|for it); that(?:'s| is| would be| sounds) (?:very |really )?\w+; "
    r"sounds (?:good|fair|great); thanks?; thank you; lovely; great; wonderful; brilliant; perfect; amazing; marvellous; excellent; super; fantastic; "
    r"very (?:kind|fair|good); yes,? please; danke; prima; gerne?; toll; das wäre; mach das; graag; fijn; mooi; goed idee; doe dat",
    r"^\W*(?:oh,? |yes,? )?",
)
_NO_TASK = (
    r"(?:not|never|always|be(?! (?:there|in the|at the))|say|admit|have to|miss|believe|see(?! to)|hear|need|know|remember|think|hope|like|love|"
    r"want|mention|stop|come (?:to|back)|get (?:to|the)|promise|imagine|understand|wait|agree|mind|still|eat|guess|forget|take (?:an?|another|one|no)|"
    r"nicht|nie|sein|sagen|niet|nooit|zijn|zeggen)\b"
)
_FREE = r"(?<!if )(?<!when )(?<!what )(?<!than )(?<!think )(?<!said )\b"
PROMISE = _any(
    rf"i(?:'ll| will| shall| am going to|'m going to|'m gonna)(?: also| then| just)?(?! {_NO_TASK})(?= \w); "
    r"i(?:'m| am) (?:chasing|writing|sending|arranging|sorting|preparing)(?! (?:it|that|this) down); let me(?= (?:check|take|do|handle|find|send|sort|call|write|draft|prepare|book|fix)\b); "
    r"ich werde; ich (?:kümmere|übernehme|erledige|besorge|bestelle|schreibe|schicke|rufe|bringe|organisiere|kläre|spreche|frage|reserviere|buche|prüfe|kaufe|hole)"
    r"(?! (?:nicht|kein)); (?:das|die|den|es) (?:mache|übernehme|erledige|besorge) ich; mache? ich; "
    r"ik (?:zal|ga|stuur|bestel|schrijf|bel|regel|vraag|koop|maak|neem|zorg|boek|mail|breng|haal|print|pak)(?! (?:niet|geen)); (?:dat|die|het) (?:doe|regel|neem) ik; doe ik",
    _FREE,
)
OFFER = _any(
    r"i (?:can|could)(?! (?:not|never|only|just|make (?:it|that)|come|live|see|hear|remember|imagine|account|say|tell|understand|think|believe)\b); "
    r"i(?:'m| am|'d be) happy to; i(?:'m| am) on it; leave (?:it|that) (?:to|with) me; that (?:should be|is|would be) me; "
    r"i do(?= (?:the|that|it)\b); i bring; i(?:'d| would)(?= (?:make|do|write|ask|send|prepare|draft|draw up)\b); "
    r"kann ich(?! nicht); ich (?:kann|könnte)(?! nicht); ik (?:kan|zou)(?! niet); kan ik",
    _FREE,
)
DELIVERY = _any(
    r"(?:you|ihr|jullie)(?:'ll| will)? (?:have|get|bekommt|krijgen)(?= (?:it|them|that|my|the|one|es|das|het|dat)\b); it(?:'ll| will) be (?:done|ready|live|there|finished)"
)
_ASK = r"(?:can|could|will|would) you(?! (?:hear|see|imagine|believe|agree|say|mind|like|prefer|know|think|remember|be|need|want|really|ever|still)\b)"
_ASK += r"|kannst du|könntest du|würdest du|kun je|kun jij|wil je|wil jij|zou je|zou jij"
ASKED = re.compile(
    rf"\b(?:{_ASK}|(?:can|could|would) (?:somebody|someone|anybody)|kann jemand|kan iemand)\b", re.IGNORECASE
)
_YOU = (
    r"you (?!are|were|said|wanted|know|have|had|look|see|can|could|will|would|should|did|do\b|don|didn|brought|never|always|told|mean|"
    r"think|like|seem|need|might|also|just|who|and|or|[a-z]*ed\b)[a-z]+|du \w+e?st|jij \w+t"
)
_ADDRESSED = re.compile(
    rf"(?:^|[,;] |\b[Ss]o |\b[Aa]nd ){_NAME},? (please\b|bitte\b|graag\b|(?i:{_ASK})\b|{_YOU}\b|I need an? |(?<=, )([a-z]{{2,}})\b)"
)
_CALLED = re.compile(rf"(?:[a-z]),? {_NAME}(?:, (?:please|bitte|graag))?[.!?]*$")
PLEASE = _any("please; bitte; graag")
ORDER = re.compile(r"^(?:please|bitte|then|and|so|yes|good|fine|okay)?,? ?([^\W\d_]{2,})\b", re.IGNORECASE)
NO_ORDER = LIGHT - frozenset("ask bring find get give make put send take talk tell do".split()) | frozenset(
    "sit wait continue listen mind stop relax enjoy carry start begin hold hang forgive remember did didn don isn even".split()
)
_ASSIGNED = re.compile(
    rf"\b{_NAME} (?:(?:will|shall|should|must|needs? to|is to|has to|is going to|zal|moet|gaat|wird|soll|sollte|muss)\b"
    rf"(?! (?:have been|have had|{_NO_TASK}))|((?!was|is|has|does|says|thinks|knows|likes|needs|gets|means|looks|seems|wants|comes|lives)[a-z]{{2,}}s)\b)"
)
NEED = _any(
    r"who (?:can|could|will|would|does|takes|sees|gives|brings|makes|writes|runs|answers|delivers|books|buys|calls|tells|orders|is (?:responsible|going to)); "
    r"(?:somebody|someone|we) (?:of us )?(?:has to|have to|should|must|would have|needs?|who); i need to; (?:it|that|this|these|they|the [\w ]{1,30}) (?:has to|have to|must|needs? to) be \w+; "
    r"wer (?:kümmert|macht|kann|übernimmt|schreibt|bringt|bestellt|ruft|kauft|holt); jemand (?:muss|sollte|müsste); "
    r"wie (?:kan|wil|doet|regelt|zorgt|belt|koopt); iemand (?:moet|zou)"
)
TASK_MARK = re.compile(
    r"^(?:\W*\b(?:action|to ?do|actie|actiepunt|aufgabe|next step)s?\b\s*[:\-–]|\[ \])\s*", re.IGNORECASE
)
PAST = _any(
    r"last (?:year|month|week|time|season|autumn|spring|summer|winter|meeting|night); (?:years?|months?|weeks?|days?) ago; yesterday; back in; in (?:19|20)\d\d; "
    r"letzte[sn]? (?:jahr|mal|woche|monat); vor (?:zwei|drei|einem|vielen); gestern; vorige? (?:jaar|week|maand|keer); gisteren; geleden"
)
DECIDED = _any(
    r"(?:we|the (?:board|committee|council|team|group|meeting))(?: have| has|'ve)?(?: now| all| just)? (?:decided|agreed|resolved|settled|chose|voted|approved); "
    r"decision(?: is|:); (?:it|that|this)(?:'s| is)(?: now| then| hereby| therefore)? (?:agreed|decided|settled|approved|resolved)(?=[:,.!]| that| to |$); "
    r"then it is (?:agreed|decided); it was (?:agreed|decided|resolved) (?:to|that); resolved that; motion (?:is )?(?:carried|passed); "
    r"(?:wurde|wird|ist|haben|is|wordt|werd|hebben)(?: \w+){0,6} (?:beschlossen|entschieden|vereinbart|genehmigt|besloten|afgesproken|goedgekeurd); "
    r"beschluss:; besluit:; (?:we'll|we will|we're|let's|let us) (?:go with|going with|going for|go for|stick with|adopt|move ahead|postpone|cancel)"
)
CLOSED = _any(
    "agreed; decided; approved; settled; resolved; beschlossen; afgesproken; besloten; vereinbart",
    _FILLERS,
    r"(?:,? then)?(?=[,:.!]| to | that |$)",
)
UNDECIDED = _any(
    r"(?:not|\w+n't|nothing|never|nobody|once|if|whether|until|unless|before|who) (?:\w+ ){0,3}(?:decided|agreed|settled|approved); nicht beschlossen; niet besloten"
)
PROPOSAL = _any(
    r"i(?:'d| would) (?:say|vote|be for|put|take|do)\b; i(?:'m| am) (?:in favou?r of|for going); should (?:we|that|it); what if we; we (?:could|can|should|might); what about; "
    r"(?<!as )(?<!than )\w+ should; i think we; wir (?:könnten|sollten); we (?:zouden|kunnen|moeten)"
)
STRONG = _any(
    r"my (?:proposal|suggestion); i(?:'d| would)? (?:suggest|propose|move that); let's; let us; shall we; why don't we; how about; "
    r"(?:ich )?schlage(?: ich)? vor; mein vorschlag; sollen wir; machen wir; lass(?:t)? uns; mijn voorstel; ik stel voor; laten we; zullen we"
)
PROCEDURE = _any(
    r"(?:let's|let us|shall we|we|lasst? uns|laten we)(?: all| now| then| just)? (?:start|begin|move on|go on|see|talk|discuss|come|return|hear|have an?|take a break|"
    r"wait|park|look|continue|say|hope|close|finish|stop|get|not|be|pause|think|pick); next time; later; for now; come back to; the next point; "
    r"(?:reden|sprechen) .{0,30}(?:noch einmal|darüber|später); nächste(?:s|n)? (?:mal|sitzung); volgende keer; over praten"
)
_NOT_DONE = r"(?!have|had|are|were|could|can|should|might|would|need|want|used|said|talked|got|know|thought|saw|lose|haben|hatten|sind|waren|hebben|zijn|\w+ed\b)"
CONCLUSION = re.compile(
    rf"{_FILLERS}(?:(?<=then )|(?<=so )|(?<=so, )|(?<=then, )|(?<=dann )|(?<=also )|(?<=dus )|(?<=dan )|^(?=we {_NOT_DONE}))"
    r"(?!that|what|how|why|where|when|who|far|is|was|wie|wer|there|you|i\b|i'll|it\b|he\b|she\b)|^[^,]{1,200}, then\W*$",
    re.IGNORECASE,
)
WE_DO = re.compile(
    rf"\b(?:we(?:'ll)?|wir) {_NOT_DONE}\w+|\b(?:let's|let us)\b|\b\w{{3,}}en (?:wir|we)\b", re.IGNORECASE
)
UNREAL = _any("could; would; might; can't; if; könnten; würden?; wenn; zouden; als")
DENIED = _any(r"no; not; \w+n't; nein; nicht; nee; niet")
WITHDRAWN = _any(
    r"i (?:can't|cannot|won't) .{0,40}after all; i take (?:it|that|this) back; i(?:'ve| have)? changed my mind; you (?:needn't|don't need to|don't have to|no longer have to) \w+; "
    r"kann .{0,40}doch nicht; du (?:musst|brauchst) .{0,40}nicht mehr; kan .{0,40}toch niet; (?:je|jij) hoeft .{0,40}niet meer"
)
YOU = _any("you; du; je; jij")
OPENING = _any(
    r"let(?:'s| us) (?:start|begin|get started); shall we (?:start|begin); (?:fangen|beginnen) wir; (?:we|laten we|dan) beginnen"
)
CLOSING = _any(
    r"thank you all; thanks,? (?:all|everybody|everyone); we(?:'re| are) done; danke(?:,| euch)? alle[nr]?; dann sind wir (?:durch|fertig); dan zijn we klaar"
)
CHATTER = _any(
    r"thank(?:s| you); good (?:morning|afternoon|evening|night); hello; hi all; bye; sorry; how are you; can you hear me; congratulations; welcome; well done; "
    r"go ahead; no worries; i agree; i see; i don't know; guten (?:abend|morgen|tag); hallo; danke; tschüss; goede(?:navond|morgen); bedankt; wel thuis; tot ziens"
)


def addressed(said: str, names: Collection[str]) -> tuple[str, str] | None:
    """Return whom a sentence addresses and how it goes on: "Ben, could you", "you", "please", or the verb of an order.

    Without `names`, the people of a transcript in lower case, any capitalised word is one that is no common word.
    """
    for match in _ADDRESSED.finditer(said):
        ordered = match.group(3) not in NO_ORDER and (names or match.start() == 0)
        if (name := named(match.group(1), names)) and (match.group(3) is None or ordered):
            return name, match.group(2)
    if names and orders(said) and (called := _CALLED.search(said)) and (name := named(called.group(1), names)):
        return name, ""
    return None


def addressed_outside(said: str) -> tuple[str, str] | None:
    """Return the same for somebody who may not be in the room, whom a sentence asks in so many words: "Ben, could you", "please"."""
    match = _ADDRESSED.match(said)
    if match is None or match.group(3) is not None or not (name := named(match.group(1), ())):
        return None
    return name, match.group(2)


def orders(said: str) -> bool:
    """Say whether a sentence begins with what may be the verb of an order."""
    verb = ORDER.match(said)
    return verb is not None and verb.group(1).lower() not in NO_ORDER


def assigned(said: str, names: Collection[str]) -> str | None:
    """Return the person of whom a sentence says that they will or should do something."""
    for match in _ASSIGNED.finditer(said):
        if (name := named(match.group(1), names)) and (names or match.group(2) is None):
            return name
    return None
