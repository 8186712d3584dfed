"""
Phrases that say a skill is welcome but not asked for, or not needed at all.

Each is matched as whole words in the folded text (no accents, lower case).

Source: issue 5 item 2.
"""

from __future__ import annotations

from itertools import product

#: A welcome skill follows: "ideally with Scala".
WELCOME_BEFORE = (
    "ideally", "preferably", "bonus points", "bonus if", "bonus for", "plus if", "extra points",
    "extra credit", "brownie points", "it would be nice", "would be nice", "we would love",
    "idealerweise", "optimalerweise", "bestenfalls", "bonuspunkte", "idealement", "de preference",
    "bij voorkeur", "idealiter", "liefst", "idealmente", "preferentemente", "preferiblemente",
    "preferencialmente", "de preferencia", "se valora", "se valorara", "se valoraran",
    "valoramos", "valorizamos", "preferibilmente", "mile widziane", "mile widziana",
)  # fmt: skip

#: A welcome skill stands before: "Scala is a plus".
WELCOME_AFTER = (
    "a plus", "plus point", "big plus", "huge plus", "strong plus", "definite plus",
    "great plus", "real plus", "major plus", "added plus", "plus but not", "a bonus",
    "huge bonus", "added bonus", "big bonus", "advantageous", "an advantage",
    "added advantage", "additional advantage", "distinct advantage", "strong advantage",
    "an asset", "is beneficial", "be beneficial", "highly beneficial", "is helpful",
    "be helpful", "helpful but", "is welcome", "is valued", "highly valued", "nice to have",
    "good to have", "great to have", "is nice", "not mandatory", "not a must",
    "not essential but", "not required but", "looked upon favorably", "viewed favorably",
    "would be great", "is optional",
    "von vorteil", "vorteilhaft", "wunschenswert", "ein plus", "grosses plus", "pluspunkt",
    "gern gesehen", "gerne gesehen", "sind ein plus", "ist ein plus", "kein muss",
    "un plus", "un atout", "serait un avantage", "souhaite", "souhaitee", "souhaites",
    "souhaitees", "apprecie", "appreciee", "apprecies", "appreciees",
    "een pre", "een plus", "pluspunt", "mooi meegenomen", "wenselijk", "een voordeel",
    "een pluspunt", "meerwaarde", "deseable", "deseables", "valorable", "valorables",
    "un punto extra", "desejavel", "desejaveis", "um diferencial", "gradito", "gradita",
    "gradite", "gradita la conoscenza", "preferibile", "costituisce titolo preferenziale",
    "meriterande", "en fordel", "atutem", "sera un plus", "es un plus", "um plus",
)  # fmt: skip

#: A welcome skill stands on either side, or below as in a list: "Preferred: Scala".
WELCOME = (
    "preferred", "preferable", "desirable", "desirables", "desired", "nice to haves",
    "nice-to-have", "nice-to-haves", "optional", "pluses", "bonus skills",
    "bonus qualifications", "preferred qualifications", "stand out", "sets you apart",
    "set you apart", "pluspunkte", "diferencial", "diferenciais", "serait un plus",
    "les plus", "pluspunten", "requisitos deseables", "requisitos desejaveis",
    "what would be nice", "even better",
)  # fmt: skip

#: Before a mention in the same clause: not needed.
NEGATED_BEFORE = (
    "no prior", "no previous", "no experience with", "no experience in", "no experience of",
    "no knowledge of", "no need for", "no need to know", "no need to have", "don't need",
    "do not need", "not need to know", "without needing", "not looking for", "we don't use",
    "we do not use", "instead of", "rather than", "unlike", "pas besoin de", "pas besoin d'",
    "sin necesidad de",
)  # fmt: skip

#: Before a mention, and only together with a word of need after it: "no Python needed".
NEGATED_IF_NEEDED = (
    "no", "kein", "keine", "keinerlei", "geen", "aucun", "aucune", "ningun", "ninguna",
    "nenhum", "nenhuma",
)  # fmt: skip

#: Words of need; they also end the reach of a word of welcome.
NEEDED = (
    "needed", "required", "necessary", "mandatory", "must", "essential", "expected",
    "erforderlich", "notwendig", "notig", "zwingend", "vereist", "nodig", "requis", "requise",
    "necessaire", "obligatoire", "necesario", "necesaria", "requerido", "requerida",
    "imprescindible", "necessario", "necessaria", "obrigatorio",
)  # fmt: skip

#: After a mention in the same clause: not needed.
NEGATED_AFTER = (
    "not required", "not needed", "not necessary", "isn't required", "isn't needed",
    "isn't necessary", "is not a requirement", "not a requirement", "not essential",
    "unnecessary", "not expected", "nicht erforderlich", "nicht notwendig", "nicht notig",
    "pas necessaire", "pas requis", "pas requise", "niet nodig", "niet vereist",
    "no es necesario", "no es necesaria", "no necesario", "nao e necessario",
)  # fmt: skip

_WHO = (
    "companies", "customers", "clients", "investors", "brands", "startups", "start-ups", "firms",
    "businesses", "retailers", "organizations", "organisations", "names", "employers",
)  # fmt: skip
_LINK = ("like", "such as", "including", "include", "includes", "like:", "include:", ":")

#: Firms follow, not tools: "customers include Asana, Box".
FIRMS = (
    *(f"{who}{'' if link == ':' else ' '}{link}" for who, link in product(_WHO, _LINK)),
    "trusted by", "backed by", "funded by", "acquired by", "used by", "just like", "veterans of",
    "alumni of", "alums from", "founders of", "co-founders of", "creators of", "partnership with",
    "partnered with", "people from", "engineers from", "formerly at", "worked at",
    "investment from",
)  # fmt: skip

_KNOWN = (
    "experience", "experienced", "familiarity", "familiar", "proficiency", "proficient",
    "knowledge", "expertise", "skilled", "fluent", "fluency", "skills", "competence",
)  # fmt: skip
_THINGS = ("tools", "languages", "frameworks", "libraries", "technologies", "platforms", "software")

#: Something used or known follows: "written in Go", "experience with Ruby", "tools such as Consul".
USED_BEFORE = (
    *(f"{known} {link}" for known, link in product(_KNOWN, ("with", "in", "of", "using"))),
    *(f"{things} {link}" for things, link in product(_THINGS, ("such as", "like", "e.g.",
    "(e.g."))),
    "written in", "programming in", "coding in", "developed in", "built in", "built with",
    "code in",
    "implemented in", "primarily in", "mostly in", "developing in", "framework", "erfahrung mit",
    "kenntnisse in", "erfahrung in", "expérience avec", "experiencia con", "conocimientos de",
    "ervaring met", "kennis van", "conoscenza di", "experiência com", "conhecimento em",
)  # fmt: skip
