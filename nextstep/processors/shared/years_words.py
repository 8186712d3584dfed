"""How ads ask for years of experience, and the years that are something else."""

from __future__ import annotations

import re

from nextstep.processors.shared.anchored import lowered

WORDS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "twelve": 12,
    "fifteen": 15,
    "twenty": 20,
    "ein": 1,
    "einem": 1,
    "eine": 1,
    "einer": 1,
    "zwei": 2,
    "drei": 3,
    "vier": 4,
    "fünf": 5,
    "sechs": 6,
    "sieben": 7,
    "acht": 8,
    "zehn": 10,
    "un": 1,
    "une": 1,
    "deux": 2,
    "trois": 3,
    "quatre": 4,
    "cinq": 5,
    "sept": 7,
    "huit": 8,
    "dix": 10,
    "uno": 1,
    "dos": 2,
    "tres": 3,
    "cuatro": 4,
    "cinco": 5,
    "seis": 6,
    "siete": 7,
    "ocho": 8,
    "diez": 10,
    "twee": 2,
    "drie": 3,
    "vijf": 5,
    "zes": 6,
    "zeven": 7,
    "tien": 10,
    "due": 2,
    "tre": 3,
    "quattro": 4,
    "cinque": 5,
    "sei": 6,
    "dieci": 10,
    "dois": 2,
    "duas": 2,
    "três": 3,
    "quatro": 4,
    "dez": 10,
    "um": 1,
    "två": 2,
    "fem": 5,
}

NUMBER = r"(?:\d{1,2}(?:[.,]\d)?|(?:" + "|".join(sorted(WORDS, key=len, reverse=True)) + r")\b)"

#: A digit or a number in words; without one a piece of text need not be read.
HAS_NUMBER = lowered(r"\d|\b(?:" + "|".join(sorted(WORDS, key=len, reverse=True)) + r")\b")

UNIT = (
    r"(?:years?|yrs?\b\.?|yoe\b|jahre?n?\b|j[äa]hrige[rnms]?|ans?\b|ann[ée]es?\b|a[ñn]os?\b|"
    r"anni\b|anno\b|jaar\b|"
    r"jaren\b|års?\b|lata?\b|months?|monate?n?\b|mois\b|meses\b|mesi\b|maanden\b)"
)

YEARS = lowered(
    rf"(?:(?<![\dA-Z,/$€£_])(?<!\d\.)(?=\d)|"
    # "abilities8+ years": two lines of a source glued together.
    rf"(?<=[a-z]{{4}})(?=\d{{1,2}}\s?\+?\s?(?:years?|yrs)\b)|"
    rf"\b(?=[^\W\d]))(?P<a>{NUMBER})\s?(?:\(\s?\d{{1,2}}\s?\))?\s?(?P<plus>\+|plus\b)?"
    rf"(?:\s?(?P<unit1>years?|yrs?)?\s?(?:-|–|—|−|‑|/|to|bis|à|a|ai|tot|or|ou|o|oder|of|and|y|e)\s?"
    rf"(?P<b>{NUMBER})\s?(?:\(\s?\d{{1,2}}\s?\))?\s?(?P<plus2>\+|plus\b)?)?"
    rf"[\s-]?(?P<more>or\s+more\s+|\(?s\)?\s+)?(?:\(\s?\d{{1,2}}\s?\+?\s?\)\s?)?(?:full\s+|"
    rf"volle\s+|calendar\s+)?(?P<unit>{UNIT})\(?s?\)?['’]?"
)

LABELLED = lowered(
    r"\b(?:years?|yrs)\s+(?:of\s+)?(?:work\s+|relevant\s+|"
    r"professional\s+)?exp(?:erience)?\b\.?\s*(?:required|needed)?\s*[:=\-–]\s*"
    r"(?P<a>\d{1,2})\b\s?(?P<plus>\+)?(?:\s?(?:-|–|to)\s?(?P<b>\d{1,2}))?"
)

#: "With 25 years of experience, we ..." and "... our firm": theirs, not yours.
THEIRS_AFTER = re.compile(
    r"[^.\n]{0,60}?experience,?\s+(?:\w+\s+){0,3}?(?:we|our|us|the\s+company)\b", re.IGNORECASE
)

THEIRS_BEFORE = re.compile(
    r"\b(?:we|company|firm|group|wir|nous|team)(?:['’]ve|\s+(?:have|has|haben|avons|bring\w*|"
    r"with|offers?|boasts?))[^.\n]{0,25}$",
    re.IGNORECASE,
)

PREPOSITION = re.compile(r"\s*\)?\s*(?P<of>of|in|with|as|within|using|on)\s+\w", re.IGNORECASE)

EXPERIENCE = re.compile(
    r"experien\w*|\bexp\b\.?|\bexpertise\b|erfahrung\w*|berufspraxis|praxis\b|exp[ée]rien\w*|"
    r"experi[êe]nci\w*|esperienz\w*|"
    r"ervaring|werkervaring|erfarenhet|erfaring|do[śs]wiadczen\w*|track\s+record|"
    r"\bbackground\b|\bpqe\b|"
    r"post[\s-]qualif\w+|hands[\s-]on|\bseniority\b|\bantig[üu]edad|\bexposure\b|\bpractice\b|"
    r"\byoe\b",
    re.IGNORECASE,
)

DEMAND = re.compile(
    r"\b(?:minimum|min\.?|at\s+least|atleast|required?s?|requirements?|must\s+have|mindestens|"
    r"wenigstens|au\s+moins|"
    r"minimum\s+de|al\s+menos|m[íi]nim[oa]|minimaal|minstens|almeno|pelo\s+menos|"
    r"no\s+m[íi]nimo|minst|ideally|preferably|"
    r"typically|approximately|you\s+have|you['’]ve|you['’]ll\s+have|have)\s*(?:of\s+|de\s+|"
    r":\s*)?(?:\w+\s+)?$",
    re.IGNORECASE,
)

#: "Scripting languages: 3 years (Required)".
ASKED_AFTER = re.compile(r"\s*\(\s*(?:required|preferred|minimum)\s*\)", re.IGNORECASE)

#: What follows "5 years" when it is time spent working at something.
WORKING = re.compile(
    r"\s*\)?\s*,?\s*(?:of\s+)?(?:\w+[\s,/&-]+){0,4}?(?:working|work\b|professional\w*|industry|"
    r"relevant|related|in\s+(?:a|an|the|similar|data|software|"
    r"sales|customer|analytics?|business|product|\w+\s+(?:role|position|field|industry))|"
    r"as\s+an?\b|building|developing|"
    r"designing|leading|managing|doing|using|programming|writing|coding|delivering|supporting|"
    r"implementing|analyzing|analysing|"
    r"creating|applying|conducting|handling|performing|administering|running|python|sql|java\b|"
    r"sap\b|in\s+\w+ing\b)",
    re.IGNORECASE,
)

NOT_WORK_AFTER = re.compile(
    r"\s*\)?(?:\s*['’]?s?\b)?\s*(?:-|\s)?\s*(?:old\b|of\s+age|ago\b|in\s+(?:business|a\s+row|"
    r"operation|existence)|(?:of\s+)?(?:\w+\s+)?"
    r"(?:history|innovation|heritage|excellence|success|growth|tradition|age|warranty|"
    r"anniversary|service\s+to|operations?\b|"
    r"existence|leadership|continuous|vesting|contract|lease|degree|program(?:me)?s?\b|college|"
    r"university|study|studies|"
    r"education|school|diploma|course|apprentice\w*|plan|roadmap|research\s+(?:grant|project)|"
    r"post-?doc\w*(?![-\w]*\s+(?:\w+\s+)?experience)|fixed[\s-]term|residen\w+|"
    r"data\b(?=\s+histor)|assignment|temporary|duration|"
    r"term\b|studium|"
    r"vertrag|universit\w+|d['’][ée]tudes|de\s+carrera|de\s+historia|d['’]existence|"
    r"of\s+impact|partnership)|"
    r"(?:alt|jung|âge|de\s+edad|oud)\b|later\b|running\b|now\b|since\b|away\b|earlier\b|"
    r"from\s+now|to\s+come|straight|"
    r"and\s+(?:older|above\s+age|counting)|or\s+older|from\s+the\s+date)",
    re.IGNORECASE,
)

NOT_WORK_BEFORE = re.compile(
    r"\b(?:last|past|next|recent|previous|coming|first|every|founded|established|within|aged?|ages|"
    r"after\s+(?:just\s+)?|celebrat\w+|for\s+(?:over|more\s+than|nearly|almost|the|about)|"
    r"since|in\s+(?:just|only|under|over|the)|history\s+of|"
    r"seit(?:\s+(?:über|mehr\s+als|rund|fast|nunmehr))?|depuis(?:\s+(?:plus\s+de|près\s+de))?|"
    r"desde\s+hace|"
    r"hace(?:\s+más\s+de)?|da\s+(?:oltre|più\s+di)|al|há(?:\s+mais\s+de)?|en\s+(?:solo|"
    r"plus\s+de)|contract\s+(?:of|for)|duration\s*:?|"
    r"valid\s+for|befristet\s+auf|durée\s*(?:de|:)?|period\s+of|term\s+of|up\s+for|over\s+the|"
    r"über|innerhalb\s+von|"
    r"nach|im|in\s+den\s+(?:letzten|nächsten|ersten)|letzten|nächsten)\b\s*(?:\w+\s+)?$",
    re.IGNORECASE,
)

COMPANY = re.compile(
    r"(?:\b(?:we|our|us|company|firm|group|agency|organi[sz]ation|consultancy|gmbh|inc|ltd|llc|plc|"
    r"unser\w*|wir|notre|nous|nuestr\w+|nostr\w+|azienda|entreprise|empresa|société|"
    r"unternehmen|founders?|they)\b[^.\n;]{0,70})$",
    re.IGNORECASE,
)

CANDIDATE = re.compile(
    r"\b(?:you|your|candidates?|applicants?|must|require\w*|minimum|min|at\s+least|qualif\w+|"
    r"looking\s+for|"
    r"seek\w*|needs?|ideally|preferred|should|someone|experience\s*[:(]|sie|du|bringst|dein\w*|"
    r"ihr\w*|mindestens|"
    r"vous|votre|au\s+moins|tienes|mínimo|almeno|minimaal|jij|je|hebt|looking\s+to\s+hire|"
    r"successful)\b",
    re.IGNORECASE,
)

PREFERRED = re.compile(
    r"\b(?:preferred|nice\s+to\s+have|a\s+plus|bonus|desirable|desired|advantage\w*|asset|"
    r"von\s+vorteil|"
    r"wünschenswert|un\s+plus|atout|valorable|deseable|gradit[oa])\b",
    re.IGNORECASE,
)

UP_TO = re.compile(
    r"(?:\b(?:up\s+to|maximum(?:\s+of)?|max\.?|less\s+than|under|fewer\s+than|no\s+more\s+than|"
    r"bis\s+zu|höchstens|jusqu['’]à|hasta|fino\s+a|até|weniger\s+als|moins\s+de|menos\s+de)|"
    r"<)\s*$",
    re.IGNORECASE,
)

EXPERIENCE_BEFORE = re.compile(
    r"(?:experien\w*|\bexp\b\.?|erfahrung\w*|exp[ée]rience|experiencia|esperienza|experiência|"
    r"ervaring|yoe|work\s+history|track\s+record)\b"
    r"[^.\n;\d]{0,45}$",
    re.IGNORECASE,
)

EDGE_BEFORE = re.compile(r"\n|[.!?;•·▪●]\s")

EDGE_AFTER = re.compile(r"\n|[.!?;•·▪●](?:\s|$)")

#: More than this is an age, a history or a typing error.
MOST_YEARS = 30.0

#: Numbers of years looked at in one piece of text; more stand only in hostile ones.
MOST_TRIED = 60
