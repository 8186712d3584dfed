"""How ads name degrees, in the languages that they are written in."""

from __future__ import annotations

import re

from nextstep.processors.shared.anchored import lowered
from nextstep.processors.shared.spotting import BIT

LEVELS = ("high_school", "apprenticeship", "associate", "bachelor", "master", "phd")

#: How a pattern reads: the text in lower case (most of them: it is three times as fast), or as
#: it is written.
CASELESS, CASED = False, True

PATTERNS: tuple[tuple[str, re.Pattern[str], float, bool], ...] = tuple(
    (level, re.compile(pattern) if cased else lowered(pattern), sure, cased)
    for level, pattern, cased, sure in (
        ("high_school", r"\b(?:['‘]?[AON])['’]?[\s-]?[Ll]evels?\b", CASED, 0.93),
        ("high_school", r"\bhigh[\s-]*school(?:\s+(?:diploma|graduate|degree|education|"
        r"certificate))?(?!\s+(?:students?|teachers?|kids|musical))\b|\bsecondary\s+(?:school|"
        r"education)\b|\bged\b|\bg\.e\.d\b|"
        r"\ba-levels?\b|\bgcse'?s?\b|"
         r"\babitur\b|\bmatura\b|\bfachabitur\b|\bbaccalaur[ée]at\b|\bbachillerato\b|"
         r"\bensino\s+m[ée]dio\b|\bsegundo\s+grau\b|\bdiploma\s+di\s+(?:maturit[àa]|scuola)\b|"
         r"\bmatric\b|\bhsc\b|\bsenior\s+certificate\b|\bleaving\s+certificate\b|"
         r"\bmittlere\s+reife\b|\brealschul\w*", CASELESS, 0.93),
        ("phd", r"\bph\.?\s?d\.?s?(?![a-z])(?:\s+degrees?\b)?|\bdoctora(?:te|"
        r"l)s?\b(?:\s+degree)?|\bd\.?phil\b|"
        r"\bdoctorado\b|\bdoutorado\b|"
         r"\bdoctorat\b|\bdottorato\b|\bpromotion\s+(?:in|im|abgeschlossen)|"
         r"\babgeschlossene\s+promotion\b|\bpromoviert\w*|\bdoktorgrad\b|"
         r"\bgepromoveerd\b|\bth[èe]se\s+(?:de\s+doctorat|en\b)", CASELESS, 0.96),
        ("master", r"\bmaster(?:['’]?s|s['’])(?:[\s-]*(?:degree|level|studies|"
        r"program(?:me)?))?\b|\bmasters?[\s-]+(?:degree|level|studies|abschluss|grad|diploma|"
         r"opleiding|diplom|studium|universitari\w+|of\s+(?:science|arts|business|engineering|"
         r"public|economics)|or\s+ph\.?d|in\s+(?!data\s+(?:management|entry)|place|charge)\w)|"
         r"\bmaster(?:s)?(?=\s*(?:/|,|or|and|oder|ou|o|of)\s*(?:ph\.?d|doctor|bachelor|mba|"
         r"higher|dipl))|(?<=bachelor/)master\b|(?<=bachelor or )master\b|"
         r"(?<=bachelor oder )master\b|(?<=bachelor- oder )master\w*|"
         r"(?<=bachelor- und )master\w*|(?<=bachelor und )master\w*|(?<=bachelor of )master\b|"
         r"(?<=bachelor and )master\b|(?<=bachelors or )masters?\b|(?<=bachelors/)masters?\b|"
         r"(?<=licence/)master\b|(?<=bs/)m[as]\b|(?<=ba/)m[as]\b|(?<=bs or )m[as]\b|"
         r"(?<![-\w])m\.?[as]\.?\s*/\s*m\.?[as]\b\.?|"
         r"\bmasterstudium\b|\bmasterabschluss\b|\bmasteropleiding\b|\bm\.?b\.?a\b(?:\s+degree)?|"
         r"(?<![-.])\bm\.?\s?sc?\.?\b(?!\s?/\s?ms\b)(?=\s*(?:/|,|or\b|degree|in\b|\(|&|and\b))|"
         r"\bm\.?sc\.?(?![a-z])(?:\s+degree)?|\bm\.?phil\b|\bm\.?eng\b|\bm\.?tech\b|"
         r"\bpost[\s-]?graduate\w*(?:\s+degree)?\b|\bgraduate[\s-]+(?:level\s+)?degree\b|"
         r"\badvanced\s+(?:academic\s+)?degree\b|"
         r"\bm[áa]ster\s+(?:en|universitario)\b|\bm[áa]ster\b(?=\s*(?:,|o\b|/|y\b|u\b))|"
         r"\bp[oó]s[t]?[\s-]?gra(?:do|dua[çc][ãa]o)\b|\bmaestr[íi]a\b|\bmestrado\b|"
         r"\blaurea\s+(?:magistrale|specialistica)\b|\bbac\s?\+\s?[56]\b|"
         r"\b[ée]cole\s+d['’]ing[ée]nieurs?\b|\bdiplom(?:e)?\s+d['’]ing[ée]nieur\b|"
         r"\bgrande\s+[ée]cole\b|\bwo[\s-]+(?:niveau|opleiding|master|werk|denk|diploma)|"
         r"\bhbo\s?/\s?wo\b|\bdiplom(?:ingenieur|studium|abschluss)?\b(?=\s*(?:oder|in\b|,|/|"
         r"\())|\bmagister\b", CASELESS, 0.93),
        ("bachelor", r"\bbachelor(?:['’]?s|s['’])?(?:[\s-]*(?:degree|level|studies|abschluss|"
        r"grad))?\b|\bbaccalaureate\b|\bb\.\s?(?:s|a|e|sc|eng|tech|com)\b\.?|\bbsc\b(?!-)|"
        r"\bb\.?tech\b|\bbeng\b|\bbcom\b|"
         r"\bb\.?[as]c?\.?(?=\s*(?:/|or|degree|in\b|and)\s*(?:m\.?[as]|degree|"
         r"[a-z]+\s+(?:science|engineering)|computer|a\b))|"
         r"\bundergraduate(?:\s+(?:degree|level))\b|\bunder\s?graduate\s+degree\b|"
         r"\bfour(?:\s*\(\s?4\s?\))?[\s-]year\s+(?:college\s+|university\s+)?degree\b|"
         r"\b4[\s-]year\s+(?:college\s+|university\s+)?degree\b|"
         r"\bfirst\s+degree\b|\bb\.?[as]\.?\s*(?:/|or)\s*b\.?[as](?:c\.?|\b)|"
         r"\bhonou?rs\s+degree\b|\blicenciatur[ao]\b|\bgrado\s+(?:en|"
         r"universitario|superior\s+universitario)\b|\bgraduação\b|\bensino\s+superior\b|"
         r"\bsuperior\s+completo\b|\btitulaci[óo]n\s+universitaria\b|"
         r"\blaurea\b(?!\s+(?:magistrale|specialistica))(?:\s+triennale)?|\blaureat[oaie]\b|"
         r"\blaureand[oaie]\b|\blicence\s+(?:en|professionnelle)\b|\bbac\s?\+\s?[34]\b|"
         r"\bhbo\b(?:[\s-]+diploma)?|"
         r"\bfachhochschul\w*", CASELESS, 0.95),
        # A degree beside a diploma or a higher degree is a level of its own.
        ("bachelor", r"\bdegree\b(?=\s*/\s*(?:master|ph\.?d)|\s*(?:/|,|"
        r"or)\s*(?:an?\s+)?(?:polytechnic\s+)?"
        r"diploma|\s*\(\s*(?:preferably|ideally)\s+(?:an?\s+)?(?:master|m\.?sc|ph\.?d))|"
        r"\blicence(?=\s*/\s*master)|\buniversity\s+degree\b(?=\s*(?:and|or|/|"
        r"and/or)\s*(?:an?\s+)?(?:master|"
        r"post|ph\.?d))|\bdegree\b(?=\s*\((?:and|or)\s+(?:above|higher)\))", CASELESS, 0.85),
        ("associate", r"\bassociate(?:['’]?s|s['’])?[\s-]+degree\b|\bfoundation\s+degree\b|"
        r"\b(?:polytechnic\s+|advanced\s+|higher\s+|national\s+)?diploma\b(?!\s+(?:supplement|"
        r"thesis))|\bhnd\b|\bhnc\b|\bbts\b|\bdut\b|\bbac\s?\+\s?2\b|"
         r"\btwo[\s-]year\s+degree\b|\b2[\s-]year\s+degree\b|\bnitec\b|\bmbo(?:[\s-]?[1-4])?\b|"
         r"\bciclo\s+formativo\b|\bgrado\s+superior\b(?!\s+universitario)|\btecn[óo]logo\b",
         CASELESS, 0.85),
        ("apprenticeship", r"\bapprenticeship\s+(?:qualification|completed|in|as)\b|"
        r"\bcompleted\s+(?:an?\s+)?(?:\w+\s+)?(?:apprenticeship|vocational\s+training)\b|"
        r"\btime[\s-]served\b|\bvocational\s+(?:training|qualification|education|degree)\b|"
         r"\b(?:abgeschlossene|kaufm[äa]nnische|technische|erfolgreich\s+abgeschlossene|"
         r"fundierte|einschl[äa]gige|gewerbliche|vergleichbare|handwerkliche|"
         r"dreij[äa]hrige)[rn]?\s+(?:\w+\s+){0,2}?(?:berufs)?ausbildung\b|\bberufsausbildung\b|"
         r"\bausbildung\s+(?:zum|zur|als|im|in|oder)\b|\b(?:oder|"
         r"bzw\.)\s+(?:eine\s+)?(?:vergleichbare\s+)?ausbildung\b|"
         r"\bnvq\b(?:\s+level\s+\d)?|\bformaci[óo]n\s+profesional\b|\bfp\s+(?:ii|grado|"
         r"superior)\b|\blehrabschluss\b|\babgeschlossene\s+lehre\b|\bcap\s*/\s*bep\b|\bbep\b|"
         r"\bberufslehre\b", CASELESS, 0.9),
        ("bachelor", r"\b(?:university|college|academic|uni|relevant|technical|quantitative|"
        r"tertiary|higher|stem|science|engineering|"
         r"numerate|related|numerical|scientific|analytical|business|finance|any|recogni[sz]ed|"
         r"good|"
        r"accredited|cs|computer\s+science)\s+(?:or\s+\w+\s+)?(?:degree|"
         r"education\s+degree)\b|\b(?:university|college)\s+graduates?\b|"
         r"\bformaci[óo]n\s+superior\b|"
        r"\bdegree[\s-]+(?:in|or\s+(?:equivalent|related|similar|higher|above)|level|educated|"
        r"qualified|"
         r"holder|required|preferred)\b|"
         r"\beducated\s+to\s+degree\b|\b(?:abgeschlossenes|erfolgreich\s+abgeschlossenes|"
         r"ein)\s+(?:\w+\s+)?(?:(?:hochschul|universit[äa]ts)?studium)\b|"
         r"\b(?:hochschul|universit[äa]ts|fachhochschul|studien)abschluss\b|"
         r"\bhochschulstudium\b|\bwissenschaftliches\s+studium\b|\bstudium\s+(?:der|im|in|mit|"
         r"aus)\b|\bstudium\s*\(|\bakademischer\s+abschluss\b|"
         r"\bdegree\s+(?:from|with)\b|\b(?:bs|ba)\s+(?:degree|in)\b|"
         r"\bformation\s+sup[ée]rieure\b|\bdipl[ôo]me\s+universitaire\b|"
         r"\bestudios\s+(?:universitarios|superiores)\b|\bgraduad[oa]\s+en\b|"
         r"\buniversitaire\s+opleiding\b|"
         r"\b(?:a|a\s+\w+|your|the|an)\s+degree\b(?!\s+of)|\bhold(?:s|ing)?\s+a\s+degree\b|"
         r"\bdegree\s*(?:/|,|or)\s*(?:an?\s+)?diploma\b|"
         r"(?<=diploma/)degree\b|(?<=diploma, )degree\b|(?<=diploma or )degree\b|"
         r"\bcursando\b|\bformação\s+superior\b|\bhögskoleutbildning\b|\bakademisk\s+\w+",
         CASELESS, 0.75),
        ("bachelor", r"\b(?:BS|BA)\s+[A-Z][a-z]+\s+(?:Science|Engineering|Degree)\b", CASED, 0.75),
    )
)  # fmt: skip

#: Words that make a pattern worth trying: its own, and for plain degrees all of them.
TRIED = tuple(
    (
        level,
        BIT["degree"] | BIT["bachelor"]
        if sure < 0.8
        else BIT[level] | BIT["degree"] * (level in ("master", "bachelor")),
        pattern,
        sure,
        cased,
    )
    for level, pattern, sure, cased in PATTERNS
)

FIELDS = sum(BIT[name] for name in (*LEVELS, "degree"))

#: No honest ad names degrees in so many places.
MOST_PIECES = 60

MOST_TRIED = 40

#: What only looks like a level; blanked first, one for one.
NO_LEVEL = lowered(
    r"\bno\s+(?:formal\s+|college\s+|university\s+|prior\s+)?(?:degree|diploma|education)\b|"
    r"\bscrum[\s-]*masters?\b|\bmaster[\s-]*(?:data|file|files|record|class|planner|plan|"
    r"branch|schedule|agreement|thesis|arbeit|"
    r"s?arbeit|and|black\s+belt|node|brand|records|electrician|technician|services)\b|"
    r"\bmasterarbeit\w*|\bbachelorarbeit\w*|\bmasterand\w*|\bmasterthesis\b|"
    r"\bbachelor[\s-]*(?:thesis|arbeit)\b|"
    r"\b(?:high|great|significant|certain|large|some|greater|higher|varying|first|360|180|"
    r"90|\d+)[\s-]*degrees?(?:\s+of)?\b(?!\s+in\s+(?:computer|engineering))|\bdegrees?\s+of\b|"
    r"\bbsc-\w+|"
    r"\bph\.?d\.?s?['’]?s?\s+(?:scientists?|researchers?|economists?|engineers?|colleagues|"
    r"experts?|team|mathematicians?|"
    r"statisticians?)\b|\b(?:bunch|group|team|mix)\s+of\s+[^.\n]{0,24}?\bph\.?d['’]?s?\b|"
    r"\bmasters?\s+students?\b|"
    r"\b(?:ceo|cto|founders?|co-?founders?)\s+(?:has|have|"
    r"holds?)\s+(?:an?\s+)?(?:\w+\s+){0,3}degrees?\b|"
    r"\b(?:undergraduate|subsequent)\s+degree(?:\(s\))?\s+class\b|"
    r"\bdegree\s+(?:celsius|centigrade)\b|"
    r"\b(?:highest|utmost|fair)\s+degree\b|\bdegree\s+to\s+which\b|"
    r"\bms[\s-]*(?:office|sql|excel|word|access|project|dynamics|azure|power\w*|teams|outlook|"
    r"windows|visio|suite|fabric|365|bi)\b|"
    r"\bmaster\s+(?:the|your|our|new|a|this|complex)\b|\bmasters\s+of\s+(?:\w+\s+)?(?:many|their|"
    r"its|the|our|different)\b|\bto\s+master\b|"
    r"\bmaster\s+of\s+(?:ceremonies|your)\b|\bhigh[\s-]school\s+(?:students?|teachers?|age)\b|"
    r"\bsecondary\s+school\s+(?:students?|teachers?|pupils)\b|\b(?:fellow|other|our|with|"
    r"team\s+of|among|of|many|several|\d+\+?)\s+ph\.?d\.?s\b(?!\s+degree)|"
    r"\bph\.?d\.?\s+students?\s+(?:and|in\s+our)\b|\bph\.?d\.?\s*/\s*\w+\.?\s+students?\b|"
    r"\bcollege\s+(?:savings|tuition|fund)\b|"
    r"\btuition\b[^.\n]{0,30}\bdegree\b|"
    r"\bmba\s+(?:recruit\w*|program\s+for\s+employees)\b|\bbig\s+data\s+hadoop\b|"
    r"\bstudent\s+loan\b|\bdiplomat\w*|\bdiplomacy\b"
)  # fmt: skip

#: The same, in the capitals that tell it: shouted in brackets it is the name of a programme.
CASED_NO_LEVEL = re.compile(r"\((?:MSC|BSC)\)")

PREFERRED = re.compile(
    r"\b(?:preferred|preferably(?!\s+(?:in|with|from|a\s+\w+\s+in)\b)|preferable|prefer|"
    r"nice\s+to\s+have|"
    r"(?:is|are|be|as)?\s*a\s+(?:strong\s+|big\s+|definite\s+|huge\s+)?plus|bonus|desirable|"
    r"desired|advantage\w*|an?\s+asset|ideally(?!\s+(?:in|with|from)\b)|"
    r"beneficial|welcome|von\s+vorteil|wünschenswert|idealerweise(?!\s+(?:mit|in|im|aus)\b)|"
    r"gern(?:e)?\s+(?:auch|mit)|"
    r"un\s+plus|atout|souhait\w+|apprécié\w*|valorable|deseable|se\s+valora\w*|valora\w+|"
    r"een\s+pr[ée]|pluspunt|gradit[oa]|preferibil\w+|preferenzial\w+|"
    r"costituisce|diferencial|desejável|not\s+(?:required|necessary|essential)|optional)\b|"
    r"\bpreferred\b",
    re.IGNORECASE,
)

#: Right before a level: that very level is only welcome.
PREFERS_THIS = re.compile(r"\bpreferabl[ey]\s*:?\s*(?:an?\s+)?(?:\w+\s+)?$", re.IGNORECASE)

REQUIRED = re.compile(
    r"(?<!not\s)\b(?:required|must|minimum|at\s+least|essential|mandatory|necessary|erforderlich|"
    r"voraussetzung|obligatoire|imprescindible|requisito|vereist|require[sd]?|"
    r"basic\s+qualif\w+)\b",
    re.IGNORECASE,
)

PREFERRED_HEADING = re.compile(
    r"^[^\n\w]{0,6}(?:preferred(?:\s+\w+)?|nice[\s-]to[\s-]haves?|bonus(?:\s+points)?|"
    r"desirable|pluses|good\s+to\s+have|additional\s+(?:or\s+preferred\s+)?qualifications|"
    r"ideal(?:ly)?|desired\s+\w+|extra\s+credit|assets?)\b[^\n]{0,40}:?\s*$",
    re.IGNORECASE | re.MULTILINE,
)

ANY_HEADING = re.compile(
    r"^[^\n\w]{0,6}(?:(?:minimum|basic|required|essential|key|your|education\w*|job|position|"
    r"what|about|who|why|responsibilit\w+|requirements?|qualifications?|skills|benefits|"
    r"experience|profile|compensation|we\s+offer)\b[^\n.]{0,40}):?\s*$",
    re.IGNORECASE | re.MULTILINE,
)

EDGE_BEFORE = re.compile(r"\n|[.!?;•](?=\s)")

EDGE_AFTER = re.compile(
    r"\n|[!?;•](?=\s)|(?<![BMP])(?<![BM]\.[AS])(?<!Ph\.D)(?<!etc)(?<!e\.g)\.(?=\s+[A-Z])"
)

#: "Bachelor's in statistics, Master's preferred": the wish is for the second alone.
NEXT_LEVEL = re.compile(
    r"(?:[,;(.]|\s[-–])\s*(?:an?\s+|and\s+|with\s+an?\s+)?(?=master|ph\.?d|mba|advanced|doctor|"
    r"graduate|"
    r"m\.?sc)",
    re.IGNORECASE,
)
