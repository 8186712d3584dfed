"""Words for seniority in titles and texts, and where they mean something else."""

from __future__ import annotations

import re

from nextstep.processors.shared.anchored import anchored

#: Further on a title is prose, and its level words speak of others.
LONGEST_TITLE = 150

CASELESS = re.IGNORECASE

#: What looks like a level word and is none; blanked before the words are read.
NO_LEVEL = re.compile(
    r"\b(?:account|accounts|sales|marketing|hr|human\s+resources?|business|customer\s+\w+|service|"
    r"recruitment|recruiting|admin\w*|office|operations?|logistics?|purchasing|procurement|finance|"
    r"legal|events?|media|pr|digital|development|support|relationship|call\s+cent(?:er|re)|retail|"
    r"telesales|advertising|research|compliance|payroll|tax|audit|it|client\s+\w+|export|import|"
    r"shipping|brand|product|e-?commerce|seo|content|social\s+media|billing|credit|claims|ward|"
    r"planning|training|project|quality|production|warehouse|technical|guest\s+\w+|"
    r"front\s+office|non-?)[\s/&-]+executives?\b|"
    r"\bdata\s+entry\b|\border\s+entry\b|\b(?:executive|personal|pa|"
    r"ea)[\s-]+(?:assistants?(?:\s+(?:to|for|of)\s+(?:the\s+)?\w+(?:\s+\w+){0,2})?|pa|"
    r"secretary|chef|admin\w*|support|search|"
    r"coach\w*|recruiter|driver|housekeeper|protection|education|sous)\b|"
    r"\bnon[\s-]?executive\b|"
    r"\b(?:assistant|secretary|pa|ea|associate|advisor|analyst|support|adjoint\w*|assistante?)\s+"
    r"(?:to|for|of|de|du|des|della?|der|des)\s+(?:the\s+|our\s+|la\s+|le\s+)?(?:\w+\s+){0,2}?"
    r"(?:director|ceo|cto|cfo|coo|cmo|head|manager|president|vp|vice\s+president|executives?|"
    r"direction|management|chief\s+\w+\s+officer)\b|"
    r"\b(?:ceo|cto|cfo|coo)(?:'s|’s)?\s+(?:office|associate|assistant|staff)\b|"
    r"\boffice\s+of\s+the\s+\w+\b|"
    r"\breport(?:ing|s)?\s+to\s+(?:the\s+)?[\w\s]{0,30}|"
    r"\bchief\s+of\s+staff\b|\bhead\s?(?:count|hunt\w*|set|lights?|\s+office)\b|"
    r"\bdirector'?s\s+office\b|"
    r"\blead[\s-]+(?:gen(?:eration|erator)?s?|qualif\w+|time|acquisition|nurtur\w+|management)\b|"
    r"\b(?:sales|qualified|inbound|warm|hot|generate|of|new)\s+leads\b|\bleads\b|"
    r"\bsenior[\s-]+(?:living|care|citizens?|home|housing|centers?|services|nutrition|companion)\b|"
    r"\b(?:graduate|grad)[\s-]+(?:school|level\s+degree|degree|research\s+assistant)\b|"
    r"\b(?:graduate|undergraduate)\s+students?\b|"
    r"\binternal\w*\b|\binternation\w*\b|\binternet\b|\binterna\b|\bjunior\s+(?:school|high|"
    r"college)\b|"
    r"\bvice[\s-]+(?:principal|chancellor)\b|\bprincipal\s+(?:residence|component)\w*\b|"
    r"\bmid(?:[\s-]?(?:market|west\w*|town|day|week|shift|night|term|stage|cap|atlantic|wife|wives|"
    r"lands?|dle\s+(?:east|school|office|market|mile))|wif\w+)\b|"
    r"\bassociate'?s?\s+degree\b|\bjoint\s+venture\b|\bstage\s+(?:manager|hand|director)\b|"
    r"\bmanaged?\s+service\w*\b|\bdata\s+steward\w*\b|\b(?:bar|waiting|kitchen|floor|camp|"
    r"cruise|care|"
    r"nursing|teaching|support|temporary|event|security|cleaning|catering|sales|hotel|"
    r"part[\s-]time|"
    r"medical|bank|restaurant|ground|general|office|shop|store|clerical|hourly)\s+staff\b",
    CASELESS,
)

TECH_STAFF = (
    r"(?:software|data|machine|ml|ai|product|security|site|research|applied|platform|front\W?end|"
    r"back\W?end|full\W?stack|mobile|android|ios|devops|cloud|infrastructure|systems?|hardware|"
    r"firmware|embedded|network|ux|ui|design\w*|engineer\w*|developer|scientist|analyst|analytics|"
    r"technical|program|researcher|architect\w*|sre|quality|qa|test|solutions?|reliability|"
    r"computer|quantitative|electrical|mechanical|silicon|asic|\w+ops|bi|business\s+intelligence|"
    r"decision|deep|nlp|web|java|python|growth|algorithm\w*|robotics|perception|optical)"
)

#: Level, pattern, how sure. Order decides between several: the first that hits wins.
TITLE_RULES: tuple[tuple[str, re.Pattern[str], float], ...] = tuple(
    (level, re.compile(anchored(pattern), flags), sure)
    for level, pattern, sure, flags in (
        ("intern", r"\b(?:intern(?:s|ship|ships)?|co-?op|werkstudent\w*|praktik(?:um|ant)\w*|"
         r"prakti(?:ka|kanten)\b|working\s+student|student\s+(?:worker|assistant|trainee|job)|"
         r"stagiaires?|stagista|tirocini\w*|tirocinante|stage|becari[oa]s?|pr[áa]cticas|"
         r"practicante|pasante|est[áa]gi[oa]\w*|estagi[áa]ri[oa]|stageplek|stageopdracht|"
         r"afstudeer\w*|meewerkstage|praktikplats|internat?o?|studentische\w*|hilfskraft|hiwi|"
         r"summer\s+analyst|summer\s+associate|thesis|masterarbeit|bachelorarbeit|abschlussarbeit|"
         r"v\.?i\.?e\.?(?=\W|$)|industrial\s+placement|placement\s+(?:year|student))\b",
         0.95, CASELESS),
        ("entry", r"\b(?:entry[\s-]*level|entry|graduates?|grad|new\s+grads?|trainees?|"
        r"apprentic\w*|"
         r"apprenti\w*|alternan\w*|ausbildung|auszubildende\w*|azubi\w*|lehrling|"
         r"early[\s-]careers?|campus|"
         r"fresh(?:er|ers|\s+graduates?)?|absolvent\w*|berufseinsteiger\w*|young\s+professional|"
         r"d[ée]butant\w*|recien\s+graduad\w*|reci[ée]n\s+(?:titulad|egresad)\w*|"
         r"no\s+experience|neolaureat\w*|"
         r"school\s+leaver|duales?\s+studium|starter|aprendiz|jovem\s+aprendiz|nyexaminerad|"
         r"university\s+hire|off[\s-]campus|sin\s+experiencia|beginner|rotational)\b",
         0.92, CASELESS),
        ("junior", r"\b(?:junior|j[uú]nior|jr|jnr|juniore)\b", 0.97, CASELESS),
        ("executive", r"\b(?:c[etfmidpro]o|cdao|cxo|ciso|cdio|"
        r"chro)\b(?![\s-]*(?:level\s+client|services|practice))|"
         r"\bchief\s+(?:[\w&]+\s+){0,3}?officer\b|\bchief\s+(?:scientist|economist|architect|"
         r"actuary|executive)\b|\b(?:co-?)?founders?\b|(?<!vice )(?<!vice-)\bpresident\b|"
         r"\bgesch[äa]ftsf[üu]hr\w*|\bc-level\b|\bdirecteur\s+g[ée]n[ée]ral\b|"
         r"\bdirettore\s+generale\b|"
         r"\bamministratore\s+delegato\b|\bdirector\s+general\b|\bchief\s+\w+\b(?=\s*$|\s*,)",
         0.92, CASELESS),
        ("vp",
        r"\b(?:[aesr]?vp|vice[\s-]+president|vice-?pr[ée]sident\w*|vicepresident\w*)\b",
        0.97, CASELESS),
        ("director", r"\b(?:directors?|dir\.|direktor\w*|directeurs?|directrice|director[a]?|"
         r"diretor[a]?|direttore|direttrice|direkt[öo]r)\b", 0.96, CASELESS),
        ("head", r"\b(?:head(?:\s+of|,|\s*[-–]|$)|(?:department|dept|global|group|regional|"
        r"country|site|"
         r"deputy|team)\s+head|head\s+(?=\w)|(?:abteilungs|bereichs)leit\w+|leiter(?:in)?|leitung|"
         r"hoofd|chef\s+de\s+service|jefe\s+de|jefa\s+de)", 0.93, CASELESS),
        ("principal", r"\b(?:principal|princ\.)(?=\W|$)", 0.96, CASELESS),
        ("staff", r"\b(?:senior\s+|sr\.?\s+)?staff[\s,/-]+(?=" + TECH_STAFF + r"\b)|,\s*staff\b|"
         r"\(staff\)|[-–]\s*staff\b", 0.93, CASELESS),
        ("manager", r"\b(?:managers?|mgr|manageress|managerin|teammanager|gerente|g[ée]rante?|"
         r"responsabile|encargad[oa]|afdelingsmanager|management\s+lead)\b", 0.9, CASELESS),
        ("lead", r"\b(?:lead|leads?\b(?=\s*$)|leader|team\s?leiter\w*|teamlead|teamleitung|"
         r"(?:team|tech|technical|squad|project)\s+lead(?:er)?|chef\s+d['’][ée]quipe|"
         r"capo\s?(?:squadra|team)|"
         r"l[ií]der|coordinador[a]?\s+de\s+equipo|gruppenleit\w+|projektleit\w+|teamchef|teamcoach|"
         r"leading)\b", 0.93, CASELESS),
        ("mid", r"\bsemi[\s-]*s[eé]nior\b|\bssr\b", 0.9, CASELESS),
        ("senior",
        r"\b(?:senior|s[eé]nior|s[êe]nior|sr|snr|senioren?|experienced\s+senior)\b",
        0.97, CASELESS),
        ("mid", r"\b(?:mid|mid[\s-]*level|midlevel|mid[\s-]*senior|intermediate|medior|pleno|"
         r"interm[ée]diaire|confirm[ée]e?|mid[\s-]?career)\b", 0.93, CASELESS),
        ("mid", r"\bPL\b(?=\s*$|\s*[-–|(])", 0.75, 0),
        ("junior", r"^\W*associate\s+(?!director|vice|vp|professor|dean|partner|general|principal|"
         r"editor|producer|manager|attorney|lawyer|counsel|dentist|veterinar|degree|"
         r"s\b)(?=[\w/&-]+)", 0.65, CASELESS),
        ("junior", r"\bass(?:istant)?\.?\s+(?=accountant|engineer|developer|analyst|quantity|"
        r"buyer|designer)", 0.55, CASELESS),
        ("senior", r"(?<=[a-z)])[\s-]+(?:III|3)(?=\s*$|\s*[-–,(|/:])", 0.65, 0),
        ("staff", r"(?<=[a-z)])[\s-]+(?:IV|V)(?=\s*$|\s*[-–,(|/:])", 0.5, 0),
        ("mid", r"(?<=[a-z)])[\s-]+(?:II|2)(?=\s*$|\s*[-–,(|/:])", 0.65, 0),
        ("entry", r"(?<=[a-z)])[\s-]+(?:I|1)(?=\s*$|\s*[-–,(|/:])", 0.6, 0),
    )
)  # fmt: skip

#: A piece of every word that TITLE_RULES know, in lower case, whatever stands before or after it.
LEVEL_STEMS = (
    "intern", "co-op", "coop", "student", "prakti", "stag", "tirocin", "becari", "prácti",
    "practi", "pasante", "estági", "afstudeer", "hilfskraft", "hiwi", "summer", "thesis",
    "arbeit", "v.i", "vie", "placement", "entry", "grad", "trainee", "apprent", "alternan",
    "ausbildung", "auszubild", "azubi", "lehrling", "early", "campus", "fresh", "absolvent",
    "einsteiger", "young", "debutant", "débutant", "recien", "recién", "no experience",
    "neolaureat", "leaver", "studium", "starter", "aprendiz", "nyexaminerad", "university",
    "experiencia", "beginner", "rotational", "junior", "júnior", "jr", "jnr", "ceo", "cto", "cfo",
    "cmo", "cio", "cpo", "cro", "cdo", "coo", "cdao", "cxo", "ciso", "cdio", "chro", "chief",
    "founder", "president", "présid", "gesch", "c-level", "direct", "direkt", "diret", "dirett",
    "dir.", "amministratore", "vp", "vice", "head", "leit", "hoofd", "chef", "jef", "princ",
    "staff", "manag", "mgr", "gerente", "gerant", "gérant", "responsab", "encargad", "lead", "capo",
    "lider", "líder", "coordinador", "team", "semi", "ssr", "senior", "sénior", "sênior", "sr",
    "snr", "mid", "intermedi", "intermédi", "medior", "pleno", "confirm", "associate", "ass",
)  # fmt: skip

#: The same for levels that are numbers, or letters that mean one only in capitals.
NUMBERED = re.compile(r"\b(?:[IV]{1,3}|PL|[1-3])\b")

#: Roles named "manager" without leading people; a level word beside them counts more.
ROLE_MANAGER = re.compile(
    r"\b(?:product|project|program(?:me)?|account|community|case|customer\s+success|content|"
    r"campaign|category|brand|partner(?:ship)?|event|relationship|social\s+media|territory|change|"
    r"delivery|release|incident|crm|seo|ppc|growth|marketing|procurement|portfolio|client|data|"
    r"risk|technical\s+(?:account|program|project))\s+managers?\b",
    CASELESS,
)

OF_THIS_JOB = re.compile(
    r"(?:\b(?:looking\s+for|seeking|seeks?|hiring|recruiting|searching\s+for|in\s+search\s+of|"
    r"recruit|role\s+as|position\s+as|join\s+(?:us|our\s+team)\s+as|we\s+need|suchen(?:\s+wir)?|"
    r"recherch(?:ons|e)|buscamos|cerchiamo|zoeken(?:\s+wij)?|zijn\s+op\s+zoek\s+naar|procuramos|"
    r"this\s+is)\s+(?:an?|the|our|eine?n?|une?|een|uma?|uno)?\s*"
    r"(?:(?:experienced|talented|motivated|passionate|new|highly|skilled|strong|full[\s-]?time|"
    r"permanent|remote|exciting|hands-on|dynamic|driven)[\s,]+(?:and\s+)?){0,4})"
    r"(?P<word>entry[\s-]level|junior|mid[\s-]level|intermediate|medior|senior|sr\.|lead|principal|"
    r"staff|graduate|trainee|intern(?:ship)?|werkstudent\w*|praktikant\w*|stagiaire|becario|"
    r"stagista|head\s+of|director)\b",
    CASELESS,
)

STATED = re.compile(
    r"\b(?:seniority(?:\s+level)?|experience\s+level|career\s+level|level|job\s+level)\s*[:\-–]\s*"
    r"(?P<word>entry[\s-]level|internship|associate|junior|mid[\s-]senior|mid[\s-]level|senior|"
    r"director|executive|lead|graduate)\b|"
    r"\b(?P<word2>entry[\s-]level|senior[\s-]level|mid[\s-]level|junior)\s+(?:position|role|"
    r"opportunity|job)\b|"
    r"\b(?P<word3>internship|praktikum|tirocinio|stage)\s+(?:position|opportunity|programm?e?|"
    r"offer)\b",
    CASELESS,
)

WORD_LEVELS = (
    ("entry", ("entry", "graduate", "trainee")),
    ("junior", ("junior", "associate")),
    ("mid", ("mid", "intermediate", "medior")),
    ("senior", ("senior", "sr.")),
    ("lead", ("lead",)),
    ("principal", ("principal",)),
    ("staff", ("staff",)),
    ("head", ("head",)),
    ("director", ("director",)),
    ("executive", ("executive",)),
    ("intern", ("intern", "werk", "prakti", "stag", "tiro", "becari")),
)
