"""What surrounds the role in a title, and the words for roles."""

from __future__ import annotations

import re

from nextstep.processors.shared.anchored import anchored

#: Titles longer than this are prose (Hacker News); the role stands at the front.
LONGEST_TITLE = 400

#: Letters that a misspelled title may differ by: added, lost, changed or swapped.
MOST_EDITS = 2

#: Letters; a shorter name is another word after one edit.
SHORTEST_MISSPELLED = 8

LONGEST_NAME = 7  # words

TAGS = re.compile(r"<[^>]{0,300}>?")

NOISE = re.compile(
    anchored(
        r"\([^()]{0,80}?\b(?:m|f|d|w|h|x|i|t|k|v|gn|all|alle|any|divers|mwd|mfd|fmd)\s*"
        r"(?:[/|,*]\s*(?:m|f|d|w|h|x|i|t|k|v|gn|mw|\*)\s*){1,3}[^()]{0,20}\)|"
        r"\b[mfhw]\s*/\s*[fmwhv](?:\s*/\s*[dxin])?\b|\b(?:all|any)\s+genders?\b|\(\s*all\s*\)|\(gn\)|"
        r"\b(?:urgent(?:ly)?|hiring|immediate\s+start|asap|apply\s+now|new|hot|reposted|job|"
        r"vacancy)\s*[!:]+|"
        r"\burgent(?:ly)?(?:\s+(?:hiring|requirement|required|need(?:ed)?))?\b|\[reposted\]|"
        r"\b(?:now|we(?:'|’)?re|we\s+are)\s+hiring\b|\bimmediate\s+(?:start|joiner)\b|"
        r"\b(?:req(?:uisition)?|job|ref(?:erence)?|id|jr|r)\s*(?:id|no|number|"
        r"nr)?\.?\s*[:#-]?\s*[a-z]{0,3}-?\d{3,}\b|"
        r"#\s?\d+|\(\s*(?:id|ref|job)?[\s:.#-]*[a-z]{0,4}-?\d+\s*\)|\b[A-Z]{0,4}-?\d{4,}\b|"
        r"\b\d+(?:[.,]\d+)?\s*(?:-\s*\d+(?:[.,]\d+)?\s*)?%|\b(?:part|full)[\s-]*time\b|\b(?:ft|pt)\b|"
        r"\b(?:fixed[\s-]?term|permanent|contract(?:or|ing)?|temporary|temp|freelance|perm|ftc|"
        r"vollzeit|"
        r"teilzeit|cdi|cdd|zzp|c2c|w2)\b|"
        r"\b(?:\d+|six|twelve)[\s-]*(?:months?|mths?|monate|mois|years?|weeks?)\b|"
        r"\b(?:100\s*%\s*)?(?:fully\s+)?(?:remote|hybrid|on-?site|home\s?office|work\s+from\s+home|wfh|"
        r"home[\s-]based|remoto|virtual|télétravail)\b|"
        r"[$€£]\s?\d[\d,.]*\s?k?(?:\s*(?:-|–|to)\s*[$€£]?\s?\d[\d,.]*\s?k?)?(?:\s*(?:per|/|"
        r"an?)\s*\w+)?|"
        r"https?://\S+|\bwww\.\S+"
    ),
    re.IGNORECASE,
)

GENDER_ENDING = re.compile(
    r"(?<=[a-zà-öø-ÿ]{3})(?:[:*_]in(?:nen)?|/-?in(?:nen)?|\(in\)|/a|/as|\(a\)|\(e\)|\.e|"
    r"·[a-zà-öø-ÿ]{1,5})\b",
    re.IGNORECASE,
)

SEGMENT = re.compile(
    r"\s*(?:\||\n|•|;|:|,|\s[-–—]+\s|[-–—]{2,}|\s[-–—]|[-–—]\s|\(|\)|\[|\]|/(?=\s)|\s/|"
    r"\.(?=\s)|!|\?)\s*"
)

WORD = re.compile(r"[^\W_]+(?:[+#]+|\.(?=[^\W_]))?(?:[^\W_]+)?[+#]*", re.UNICODE)

ROLE = re.compile(
    r"\b(?:engineer|developer|scientist|analyst|designer|manager|director|architect|consultant|"
    r"administrator|specialist|programmer|lead|hacker|intern|officer|nurse|assistant|accountant|"
    r"executive|technician|teacher|driver|chef|clerk|representative|coordinator|advisor|associate|"
    r"recruiter|writer|editor|researcher|operator|supervisor|agent|trainer|buyer|planner|"
    r"entwickler|ingenieur|berater|leiter|mitarbeiter|sachbearbeiter|analista|ingeniero|"
    r"desarrollador|developpeur|développeur|ingénieur|chargé|responsable|sviluppatore|medewerker|"
    r"ontwikkelaar|cientista|desenvolvedor|head|cto|ceo|vp|rgn|rmn|rnld|rn|lpn|fellow|postdoc|"
    r"technologist|worker|carer|commercial|charge|lehrkraft|fachkraft)(?:s|in|en|a)?\b",
    re.IGNORECASE,
)

#: Endings of words for people who work, in the languages of the ads.
ROLE_ENDINGS = (
    "engineer",
    "developer",
    "scientist",
    "analyst",
    "ologist",
    "nurse",
    "tician",
    "ician",
    "ographer",
    "worker",
    "keeper",
    "maker",
    "manager",
    "tester",
    "writer",
    "driver",
    "teacher",
    "entwickler",
    "ingenieur",
    "berater",
    "leiter",
    "pfleger",
    "fahrer",
    "arbeiter",
    "verkaufer",
    "techniker",
    "mechaniker",
    "ontwikkelaar",
    "medewerker",
    "adviseur",
    "beheerder",
    "manager",
    "dor",
    "dora",
    "trice",
    "euse",
    "iste",
    "ista",
    "iere",
    "ier",
    "ero",
    "era",
    "ore",
    "ent",
    "ant",
    "ist",
    "or",
    "er",
    "eur",
    "ian",
)

#: Words that name a role only together with another one.
GENERAL = frozenset(
    [
        "developer",
        "engineer",
        "analyst",
        "scientist",
        "manager",
        "consultant",
        "specialist",
        "researcher",
        "technician",
        "designer",
        "architect",
        "assistant",
        "coordinator",
        "lead",
        "officer",
        "associate",
        "executive",
        "operator",
        "advisor",
        "adviser",
        "supervisor",
        "expert",
        "professional",
        "agent",
        "representative",
        "trainer",
        "buyer",
        "planner",
        "partner",
        "member",
        "worker",
        "clerk",
        "trader",
        "director",
        "leader",
        "owner",
        "administrator",
        "head",
        "intern",
        "trainee",
        "mentor",
        "ambassador",
    ]
)

LEVEL_WORDS = frozenset(
    [
        "senior",
        "sr",
        "snr",
        "junior",
        "jr",
        "jnr",
        "lead",
        "principal",
        "staff",
        "intern",
        "internship",
        "trainee",
        "graduate",
        "entry",
        "level",
        "mid",
        "head",
        "chief",
        "i",
        "ii",
        "iii",
        "iv",
        "associate",
        "medior",
        "pleno",
        "student",
        "werkstudent",
        "praktikant",
        "praktikum",
        "stagiaire",
        "apprentice",
        "alternance",
        "stage",
        "job",
        "jobs",
        "position",
        "positions",
        "required",
        "needed",
        "wanted",
        "vacancy",
        "vacancies",
        "available",
        "opening",
        "openings",
    ]
)

FILLER = frozenset(
    [
        "job",
        "jobs",
        "position",
        "positions",
        "required",
        "needed",
        "wanted",
        "vacancy",
        "vacancies",
        "available",
    ]
)

KEEP_S = frozenset(
    {
        "sales",
        "accounts",
        "operations",
        "systems",
        "services",
        "resources",
        "news",
        "communications",
    }
)
