"""Words by which names are told apart, in English, Dutch and German; as `normalised` writes them."""

from __future__ import annotations

from service_kit.statements.lexicon import MONTHS_AND_DAYS
from service_kit.statements.normalisation import normalised


def _words(text: str) -> frozenset[str]:
    return frozenset(normalised(word) for word in text.split())


def _phrases(text: str) -> frozenset[str]:
    return frozenset(normalised(phrase.strip()) for phrase in text.split(","))


HONORIFICS = _words(
    "mr mrs ms miss dr prof professor sir lady lord dame rev reverend judge justice senator congressman governor president "
    "minister captain colonel general sergeant lieutenant major king queen prince princess pope mayor uncle aunt "
    "dhr mevr mevrouw meneer drs ir mw burgemeester koning koningin prins prinses herr herrn frau fräulein bürgermeister kanzlerin kanzler"
)
FIRST_NAMES = _words(
    "aaron abdul adam adrian ahmed alan albert alberto alejandro alex alexander alexandra alfred ali alice alicia allison amanda amber "
    "amir amy ana andrea andreas andrew andy angela anita ann anna anne annette antonio anton antoine arjen arnold arthur ashley "
    "barbara bart bas beatrice ben benjamin bernard bernd beth betty bill billy bob bobby brad bram brandon brenda brent brian bruce bryan "
    "carl carla carlos carmen carol caroline carolyn catherine cees chad charles charlie chuck charlotte cheryl chloe chris christian christina "
    "christine christoph christopher cindy claire clara claudia clive colin connie craig cynthia daan dale dan daniel daniela danielle "
    "danny darren dave david dawn dean deb debbie deborah debra denise dennis derek diana diane dick diego dieter dirk dominic don donald "
    "donna doris dorothy doug douglas duncan ed eddie eduardo edward edwin elaine eleanor elena elizabeth ellen els emil emily emma eric "
    "erica erik erika ernest esther eugene eva evelyn fatima felipe felix femke fernando florian frances francesca francis francisco frank "
    "franz fred frederick friedrich fritz gabriel gail gary gavin geert geoff george georg gerald gerard gerhard gert gina giovanni glenn "
    "gordon graham greg gregory greta guido gustav hannah hans harold harry hassan heather heidi heinrich heinz helen helena helga hendrik "
    "henk henry herbert hermann holly horst howard hugh ian ibrahim ines inge ingrid irene iris isaac isabel ivan jack jackie jacob jacques "
    "jake james jamie jan jane janet janice jan-willem jared jason jay jean jeff jeffrey jennifer jenny jens jeremy jerome jerry jesse jessica "
    "jim jimmy joan joanna joe joel johan johann johannes john johnny jon jonathan joost joop jordan jorge jose josef joseph josh joshua joyce juan "
    "judith judy julia julian julie jürgen justin kai karel karen karin karl kate katherine kathleen kathy katie keith kelly ken kenneth kevin "
    "khalid kim klaas klaus kristin kurt kyle lars laura lauren laurence lawrence lee lena leo leon leonard leslie lewis liam lieke linda lisa "
    "lois lori lotte louis louise luca lucas lucy luis luke lynn maarten madison manfred manuel marc marcel marcia marco marcus margaret maria "
    "marie marieke marijke marilyn mario marion marjan mark markus martha martin martina marvin mary maryam matt matthew matthias maurice "
    "max megan melanie melissa michael michel michelle miguel mike mohamed mohammad mohammed molly monica monika moritz muhammad nancy naomi "
    "natalie nathan neil nicholas nick nicolas nicole nigel nina noah noor norman olaf oliver olivia omar oscar otto pablo pamela pat patricia "
    "patrick paul paula pauline pedro peggy penny pete peter petra phil philip phillip pierre piet pieter rachel rainer ralf ralph ramon randy raymond "
    "rebecca renate rené ricardo richard rick rita rob robert roberto robin rod roger roland roman ron ronald rosa rose ross roy ruben rudolf "
    "russell ruth ryan sabine sally sam samantha samuel sander sandra sandy sanjay sanne sara sarah saskia scott sean sebastian sergio shane "
    "shannon sharon shaun sheila shelley shirley silvia simon sjoerd sofia sophia sophie stacey stan stanley stefan stefanie stella stephanie "
    "stephen steve steven stewart stuart sue susan susanne suzanne sven sylvia tamara tania tara ted teresa terry thea theo theresa thijs thomas "
    "tim timothy tina tobias todd tom tony tracy travis tyler ulrich ursula uwe valerie vanessa vera veronica victor victoria vince vincent virginia "
    "vladimir walter wanda warren wayne wendy werner wilhelm willem william willy wim wolfgang yasmin yusuf yvonne zoe"
)
PARTICLES = _words("van von de der den des del della di da la le el al bin ibn ter ten te zu zur zum dos du")
LINKS = _words("of the for & on für der des van de voor")
"""Words within names that begin with a head: University of the Arts."""
ORGANISATION_ENDS = _words(
    "inc corp corporation ltd limited llc llp plc co company gmbh ag kg ohg se ev bv nv vof sa sarl spa ab oy group holding holdings "
    "partners associates industries international enterprises technologies systems solutions motors airlines airways records stiftung verein "
    "groep vereniging stichting maatschappij news times post journal herald tribune magazine"
)
ORGANISATION_HEADS = _words(
    "university college school academy institute faculty bank ministry department agency commission committee council parliament "
    "congress senate court police army navy party union association federation foundation society club church hospital clinic museum "
    "library bureau office authority board team league fund trust service services laboratory laboratories center centre theatre theater "
    "universiteit hogeschool ministerie gemeente raad rechtbank politie bond partij ziekenhuis bibliotheek dienst kamer academie instituut "
    "universität hochschule ministerium bundesministerium amt gericht gesellschaft verband partei krankenhaus bundesamt institut akademie "
    "hotel restaurant restaurants cafe pub inn grill bistro salon dental motors pizza"
)
PLACE_HEADS = _words(
    "street road avenue lane boulevard drive square plaza river lake sea ocean bay gulf island islands mountain mountains valley desert beach "
    "county district province state city town village airport bridge harbour harbor canyon falls forest hills hill coast peninsula "
    "straat laan plein weg gracht kade rivier meer eiland gemeente provincie straße strasse platz allee fluss insel gebirge"
)
PLACE_BEGINNINGS = _words(
    "mount mt lake cape fort port san santa saint st new north south east west northern southern eastern western los las el"
)
EVENT_HEADS = _words(
    "war battle festival conference summit olympics cup championship championships tournament revolution crisis expo fair "
    "marathon convention oorlog slag kampioenschap revolutie krieg schlacht messe meisterschaft konferenz"
)
LAW_HEADS = _words(
    "act regulation directive treaty constitution amendment protocol convention law bill code statute wet verdrag grondwet verordening "
    "richtlijn besluit gesetz grundgesetz vertrag verordnung richtlinie"
)
PLACES = _phrases(
    "afghanistan, albania, algeria, angola, argentina, armenia, australia, austria, azerbaijan, bahrain, bangladesh, belarus, belgium, bolivia, "
    "bosnia, botswana, brazil, bulgaria, cambodia, cameroon, canada, chad, chile, china, colombia, congo, costa rica, croatia, cuba, cyprus, "
    "czech republic, denmark, ecuador, egypt, el salvador, england, eritrea, estonia, ethiopia, fiji, finland, france, georgia, germany, "
    "ghana, greece, guatemala, guinea, haiti, holland, honduras, hong kong, hungary, iceland, india, indonesia, iran, iraq, ireland, israel, italy, "
    "jamaica, japan, jordan, kazakhstan, kenya, kosovo, kuwait, laos, latvia, lebanon, liberia, libya, lithuania, luxembourg, malaysia, mali, "
    "malta, mexico, moldova, mongolia, morocco, mozambique, myanmar, namibia, nepal, netherlands, new zealand, nicaragua, niger, nigeria, "
    "north korea, norway, oman, pakistan, palestine, panama, paraguay, peru, philippines, poland, portugal, qatar, romania, russia, rwanda, "
    "saudi arabia, scotland, senegal, serbia, singapore, slovakia, slovenia, somalia, south africa, south korea, korea, spain, sri lanka, sudan, "
    "sweden, switzerland, syria, taiwan, tanzania, thailand, tibet, tunisia, turkey, uganda, ukraine, united arab emirates, united kingdom, "
    "united states, united states of america, uruguay, venezuela, vietnam, wales, yemen, zambia, zimbabwe, soviet union, uk, us, usa, uae, "
    "u.s., u.k., u.s.a., u.s, ussr, america, africa, asia, europe, antarctica, middle east, west bank, gaza, latin america, south america, north america, "
    "alabama, alaska, arizona, arkansas, california, colorado, connecticut, delaware, florida, hawaii, idaho, illinois, indiana, iowa, kansas, "
    "kentucky, louisiana, maine, maryland, massachusetts, michigan, minnesota, mississippi, missouri, montana, nebraska, nevada, new hampshire, "
    "new jersey, new mexico, new york, north carolina, north dakota, ohio, oklahoma, oregon, pennsylvania, rhode island, south carolina, "
    "south dakota, tennessee, texas, utah, vermont, washington, west virginia, wisconsin, wyoming, ontario, quebec, "
    "abu dhabi, amsterdam, ankara, antwerp, athens, atlanta, austin, baghdad, bangkok, barcelona, basra, beijing, beirut, belgrade, berlin, bern, "
    "birmingham, bogota, bonn, boston, brisbane, brussels, bucharest, budapest, buenos aires, cairo, calcutta, cape town, caracas, chicago, "
    "cologne, copenhagen, dallas, damascus, delhi, denver, detroit, dubai, dublin, edinburgh, eindhoven, falluja, fallujah, florence, frankfurt, "
    "geneva, glasgow, groningen, hamburg, hanoi, havana, helsinki, hollywood, houston, istanbul, jakarta, jerusalem, kabul, karachi, kiev, kyiv, "
    "kyoto, lagos, las vegas, lima, lisbon, liverpool, london, los angeles, lyon, madrid, manchester, manhattan, manila, marseille, "
    "mecca, melbourne, mexico city, miami, milan, moscow, mumbai, munich, nairobi, naples, new delhi, new orleans, new york city, osaka, oslo, ottawa, "
    "oxford, paris, philadelphia, phoenix, portland, prague, rio de janeiro, riyadh, rome, rotterdam, san antonio, san diego, san francisco, "
    "santiago, seattle, seoul, shanghai, stockholm, stuttgart, sydney, tampa, tampa bay, tehran, tel aviv, the hague, tokyo, toronto, tripoli, "
    "turin, utrecht, vancouver, venice, vienna, warsaw, zurich, nyc, "
    "nederland, belgië, duitsland, frankrijk, engeland, spanje, italië, oostenrijk, zwitserland, verenigde staten, europa, rusland, "
    "den haag, brussel, antwerpen, parijs, londen, berlijn, keulen, wenen, deutschland, österreich, schweiz, frankreich, spanien, italien, "
    "niederlande, belgien, england, polen, russland, vereinigte staaten, köln, münchen, wien, zürich, hannover, leipzig, dresden, düsseldorf, "
    "bremen, bayern, sachsen, hessen, warschau, rom, mailand, prag, moskau"
)
STATES = _words(
    "al ak az ar ca co ct dc de fl ga hi ia id il in ks ky la ma md me mi mn mo ms mt nc nd ne nh nj nm nv ny oh ok or pa ri sc sd tn tx ut va vt wa wi wv wy"
)
"""Behind a town and a comma, the abbreviation of its state."""
COMMON = _words(
    "account action active address adult advanced agreement air album alternative amazing ancient animal annual answer apartment area art arts "
    "association attack audio auto average award baby back bad bar base basic bath bed bell beauty best big bird black blue board body book border box boy brain "
    "brand bread breakfast bridge broadband bronze brown budget building burger bus business buyer cable cake call camp capital car card care cart cartoon cat "
    "cell central chain chair chamber change charge cheap check chicken chief child children christian cinema circle city class clean "
    "clear client clinical close clothing cloud coach code coffee cold colour color combo commercial common communications community complete computer "
    "concert construction consulting consultant consumer contact content contract control cool core corner corporate cost country course cover "
    "creative credit critical crown culture current curry custom customer daily dance dark data date day days deal death deep defence defense delivery demo depot "
    "design desk development digital dining dinner direct director discount dispute division dog door dream drive dry duty early earth economic economy "
    "education electric electronic emergency employee energy engine engineering entertainment entrance environment equipment error estate event exchange "
    "executive express extra eye face facility fair family fan farm fashion fast father fed festival field file film final finance financial fine fire firm first fish fitness "
    "flight floor flower food foot football force forecast foreign form forward free fresh friend front fuel full fun function funeral future futures game garage garden gas "
    "gate general gift girl glass global gold golden good government grand great green ground group growth guest guide guy hair half hall hand happy hard head health "
    "heart heat heavy help high history hit holiday holy home honey hope horse hot hour house housing human hurricane ice idea image imbalance income industrial industry "
    "information inside insurance interest interior internal international investment iron issue items job joke journey juice junior keep key kid kids kitchen labour labor land "
    "language large laser last late law leader learning leather legal level life light line list little live living local logistics long love low lower lunch machine magic mail "
    "main major mall management manager manual manufacturing map mark market marketing marriage master match material meal meat media medical meeting member men "
    "menu message metal meter military milk mind mini mission mix mobile model modern money moon morning mother motion motor move movie music national natural nature "
    "neighborhood network new night noise nook normal north nose note notice nuclear number nurse off offer oil old online open opera operations orange orchestra order organic "
    "original outdoor overall own page pain paint panel paper parent park part partner party pass path patient pay payment peace performance person personal pet pets phone photo physical "
    "piano pie piece pilot pine pink pizza place plan planet plant plastic play player point policy political pool popular position post power premium present press price primary prime print private prize "
    "product production professional program programme project property prophet provisions public purchase pure quality question quick race radio rail rain range rate reader reading real record red "
    "reference regional regular release religion relief rent repair report request rescue research reserve resource restaurant result retail return review revised rib right ring risk river road rock role room root round royal rule "
    "run rural safe safety sale sales salt sand save scale schedule scheme science screen sea search season second secret section security select senior sense series service session set settlement "
    "share sheet ship shipping shirt shop shopping short show side sign silver simple single site size skin sky sleep small smart smoke snow social software soft solar solid song sound source south "
    "space special speed spirit sport sports spot spring staff stage standard star start state station status steel step stock stone stop storage store story strategic strategy street strong structure student studio study style sugar suite summer sun "
    "supply support surface surgery sushi sweet system table taco tank task tax tea teacher team tech technical technology temple term test text theory third ticket time tire tires title today tool top total touch tour tourism tower toy track trade "
    "trading traffic training transition transport transportation transporter travel treatment tree trip truck true trust turn type under union unit united upper urban user vacation value vehicle version video view village vision visit visual voice volume wall war warm "
    "water wave way weather web wedding weekend weight welcome west wheel white wild wind window wine wing winter wood word work worker working world writing year yellow young youth zone"
)
"""Words that make no person of two words in capitals."""
PLACE_CUES = _words("in near across throughout outside inside nach nabij")
AGENT_CUES = _words("by of at with for join joined von bei van door bij")
"""Words before which an abbreviation in capitals is somebody, and not emphasis."""
BEGINNINGS = _words(
    "now then today yesterday tomorrow also however great good happy nice last next first once perhaps maybe finally meanwhile "
    "recently still yet since after before during although while because unlike according despite dear again just even only many "
    "most several some every each both another other former late new old big little my your our his her their its keep make get "
    "take see read go do did does is are was were has have had can could will would should may might must here there why how "
    "nu dan vandaag gisteren ook echter toen daarna volgens sinds ondanks heute gestern auch jedoch danach laut seit trotz"
)
"""Words that begin sentences, in front of a name."""
ORGANISATIONS = _phrases(
    "google, microsoft, apple, ibm, intel, amazon, facebook, yahoo, oracle, nokia, sony, samsung, siemens, philips, bosch, bmw, toyota, "
    "honda, ford, boeing, airbus, shell, bp, exxon, exxon mobil, chevron, coca-cola, pepsi, nestle, unilever, ikea, walmart, starbucks, mcdonald, "
    "reuters, bbc, cnn, nbc, abc, cbs, fbi, cia, nsa, nasa, nato, un, united nations, eu, european union, world bank, imf, who, unesco, unicef, opec, "
    "red cross, hamas, hezbollah, fatah, al-qaeda, al qaeda, taliban, pentagon, white house, kremlin, bundestag, supreme court, associated press"
)
PERSON_CUES = _words(
    "said says told asked wrote replied added thinks thought says' met married zei zegt vertelde schreef sagte sagt schrieb erklärte"
)
NO_NAMES = (
    _words(
        "i i'm i'll i've i'd ok okay am pm tv dvd cd pc id pdf url usb it hr fyi ps re fw fwd cc bcc faq gps atm dna asap diy rsvp tbd rip lol omg ceo cfo cto vp "
        "ph.d phd ba ma mba bsc msc hi hello dear thanks thank regards cheers best please yes no sincerely subject sent attached attachment from to note "
        "god jesus christ christmas easter internet web english chapter section page figure table appendix part article monday's "
        "american americans british english french german germans dutch spanish italian chinese japanese russian russians iraqi iraqis iranian "
        "israeli israelis palestinian palestinians arab arabs indian indians african european europeans asian mexican canadian australian irish scottish welsh greek "
        "turkish korean vietnamese polish swedish norwegian danish finnish swiss austrian belgian portuguese brazilian cuban ukrainian "
        "egyptian syrian lebanese afghan pakistani thai latin western eastern hispanic muslim muslims islamic islam christian christians "
        "jewish jews jew catholic catholics protestant buddhist hindu sunni shia shiite shiites kurdish kurds nazi nazis democrat democrats "
        "republican republicans democratic communist communists marxist liberal "
        "nederlands nederlandse engels engelse duits duitse frans franse amerikaanse europese deutsch deutsche deutschen deutscher englisch "
        "französisch amerikanische europäische europäischen"
    )
    | frozenset(MONTHS_AND_DAYS)
    | _words("may")
)
"""Capitalised words that name nobody: greetings, abbreviations, languages and peoples, days and months."""
