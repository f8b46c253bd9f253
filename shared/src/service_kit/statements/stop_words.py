"""Words of a question that say nothing about its subject, by language: articles, pronouns, auxiliaries, question words."""

from __future__ import annotations

from service_kit.statements.normalisation import normalised

_LISTS = {
    "da": "af alle at blev bliver da de dem den der deres det dette dig du efter eller en er et for fra han hans har havde hende "
    "her hos hun hvad hvem hvilke hvilken hvor hvordan hvornår i ikke ind jeg jer kan man med men mig min mit ned noget nogle nu "
    "når og også om op os over på sin skal som til ud under var ved vi vil være",
    "de": "als am an auch auf aus bei beim das dass dem den denn der des die durch ein eine einem einen einer eines er es für gab "
    "gibt hat hatte ihr ihre ihrer im in ist ja kann man mit nach nicht noch nur ob oder sein seine seiner sich sie sind so über "
    "um und unter vom von vor wann war waren warum was welche welchem welchen welcher welches wem wen wer werden wie wieviel wird "
    "wo wodurch wofür woher wohin womit wurde wurden zu zum zur",
    "en": "a an and are as at be been but by can could did do does for from had has have he her his how i if in into is it its me "
    "my no not of on or our she so some than that the their them then there these they this to was we were what when where which "
    "while who whom whose why will with would you your",
    "es": "a al algo ante como con cual cuales cuando cuanta cuantas cuanto cuantos cuyo de del desde donde durante e el ella ellas "
    "ellos en entre era eran es esa ese eso esta este esto fue fueron ha habia han hasta hay la las le les lo los mas me mi muy no "
    "nos o para pero por porque que quien quienes se ser si sin sobre son su sus tambien tiene u un una uno unos y ya",
    "fi": "ei en et ette että he hän ja jo jos joka jotka kanssa ketkä kuinka kuka kun kuten me mihin mikä miksi milloin millainen "
    "minkä minä missä mistä mitkä mitä mutta myös ne niin nyt oli olivat on ovat se sekä sen siitä sinä tai te tämä vai",
    "fr": "a au aux avec c ce ces cet cette comment d dans de des du elle elles en est et etaient etait ete eu fut il ils j je l la "
    "le les leur leurs lui m ma mais me mes n ne nos notre nous on ont ou par pas pour pourquoi qu quand que quel quelle quelles "
    "quels qui quoi s sa se ses son sont sur t te tu un une vos votre vous y",
    "it": "a ai al alla alle anche c che chi ci come con cosa cui da dai dal dalla dei del della delle di dove e ed era erano fu "
    "gli ha hanno i il in io l la le lo ma nei nel nella non o per perche piu qual quale quali quando quanta quante quanti quanto "
    "quella quello questa questo se si sono su sul sulla tra un una uno",
    "nl": "aan al als bij dan dat de der deze die dit door dus een en er gaf had hadden heb hebben heeft het hij hoe hoeveel hun "
    "ik in is je kan kon maar me men met mijn naar niet nog of om onder ook op over te tot uit van veel voor waar waarin waarom "
    "waarvan waarvoor wanneer want waren was wat we wel welk welke werd werden wie wij worden wordt ze zich zij zijn zo zou",
    "no": "alle at av ble bli da de dem den der det dette du eller en er et etter for fra han har hun hva hvem hvilke hvilken hvor "
    "hvordan hvorfor i ikke inn jeg kan man med men mellom ned noe noen når og også om opp oss over på sin skal som til under ut "
    "var ved vi vil være",
    "pl": "a ale bez być był była było były co czy dla do gdy gdzie go i ich ile jak jaka jaki jakie jako jego jej jest kiedy kim "
    "kogo która które który którym kto lub ma na nad nie o od po pod przez przy są się ta tak także te tej ten to tym w we z za ze",
    "pt": "a ao aos as com como da das de do dos e ela elas ele eles em entre era eram essa esse esta este eu foi foram ha isso "
    "isto ja la lhe mais mas me na nas nao no nos o onde os ou para pela pelo por porque qual quais quando quanta quantas quanto "
    "quantos que quem se sem ser seu seus sua suas sao tambem tem um uma",
    "ru": "а без бы был была были было в вам вас во вот все вы где да для до его ее если есть за и из или им их к как какая какие "
    "какой когда кого кто ли мы на над не него нет ни но о об он она они от по под при с со так там то только у уже что чем чему "
    "эта эти это этот я",
    "sv": "alla att av blev bli då de dem den denna deras dess det detta du där efter ej eller en er ett från för ha hade han hans "
    "har hon honom hur här i icke ingen inte jag kan man med mellan men min mot mycket nu när någon något och om oss på sin ska "
    "som till under upp ut vad var varför vem vid vilka vilken vilket vi är över",
}


STOP_WORDS = {language: frozenset(map(normalised, words.split())) for language, words in _LISTS.items()}
