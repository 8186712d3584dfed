"""How ads name the type of employment, in fields, titles and texts."""

from __future__ import annotations

import re

#: Canonical words, in the order in which several of them are joined.
KINDS = (
    "full_time",
    "part_time",
    "contract",
    "temporary",
    "internship",
    "permanent",
    "freelance",
    "apprenticeship",
    "volunteer",
)

#: What a field may say. Order is free: every hit counts once.
WORDS: dict[str, str] = {
    "full_time": r"full[\s_-]*time|fulltime|\bft\b|vollzeit|voltijd?s?|voltijds|fulltime|"
    r"temps[\s-]+(?:plein|complet)|(?:tiempo|jornada)\s+complet[ao]|(?:tempo|período)\s+integral|"
    r"tempo\s+(?:pieno|inteiro)|heltid",
    "part_time": r"part[\s_-]*time|parttime|\bpt\b|teilzeit|deeltijds?|temps[\s-]+partiel|"
    r"(?:tiempo|jornada|media\s+jornada)\s+parcial|media\s+jornada|meio\s+período|"
    r"tempo\s+parziale|tempo\s+parcial|deltid|minijob|450[\s-]*euro[\s-]*job",
    "contract": r"contract(?:or|ors|ing|ual)?\b|\bftc\b|\bcdd\b|\bc2c\b|corp[\s-]to[\s-]corp|"
    r"fixed[\s-]+term|befristet\w*|tijdelijk\s+contract|\bpj\b",
    "temporary": r"\btemp(?:orary|oraire)?\b|seasonal|interim\w*|intérim\w*|temporal\b|zeitarbeit|"
    r"uitzend\w*|saison\w*|aushilfe",
    "internship": r"\bintern(?:s|ship|ships)?\b|co-?op\b|praktik(?:um|ant)\w*|werkstudent\w*|"
    r"working\s+student|\bstage\b|stagiaires?|stagista|tirocinio|becari[oa]s?|prácticas|practicas|"
    r"est[áa]gi[oa]\w*|\bv\.?i\.?e\b",
    "permanent": r"permanent|\bcdi\b|unbefristet\w*|festanstellung|festeinstellung|indefinid[oa]|"
    r"vast\s+contract|vast\s+dienstverband|tempo\s+indeterminato|efetivo|\bclt\b|tillsvidare\w*",
    "freelance": r"freelanc\w*|freiberuf\w*|self[\s-]employed|\bzzp\w*|aut[óo]nomo|"
    r"selbst[äa]ndig\w*",
    "apprenticeship": r"apprentic\w*|ausbildung|\bazubi\w*|alternance|alternant\w*|apprenti\w*|"
    r"lehrstelle|\bbbl\b|aprendiz\w*|apprendistato",
    "volunteer": r"volunteer\w*|ehrenamt\w*|bénévol\w*|vrijwillig\w*|voluntari\w*|volontari\w*",
}

FIELD = {kind: re.compile(words, re.IGNORECASE) for kind, words in WORDS.items()}

#: No honest ad speaks of employment in so many places.
MOST_PIECES = 80

#: A pattern is tried only where one of its stems stands.
STEMS: dict[str, tuple[str, ...]] = {
    "full_time": ("full", "voll", "complet", "plein", "volt", "pieno", "integral", "inteiro"),
    "part_time": ("part", "teilzeit", "parcial", "media", "deeltijd", "parziale"),
    "contract": ("contract", "fixed", "befrist", "ir35", "cdd", "contrato", "w2", "c2c",
        "tempo det", "tijdelijk"),
    "temporary": ("temp", "season", "mission"),
    "internship": ("intern", "praktik", "stage", "prácticas", "practicas", "tirocin", "werkstud"),
    "permanent": ("permanent", "unbefrist", "indefinid", "cdi", "indéterm", "indeterm",
        "vast", "onbepaalde", "festanst", "sem termo", "tillsvid"),
    "freelance": ("freelanc", "freiberuf", "independent"),
    "apprenticeship": ("apprentic", "alternance", "apprentissage", "ausbildung"),
    "volunteer": ("volunteer",),
}  # fmt: skip

IN_TITLE = {
    "full_time": re.compile(r"\bfull[\s-]?time\b|\bvollzeit\b|\btemps\s+plein\b|\bheltid\b|"
    r"\bfulltime\b", re.IGNORECASE),
    "part_time": re.compile(r"\bpart[\s-]?time\b|\bteilzeit\b|\bparttime\b|\btemps\s+partiel\b|"
    r"\bmeio\s+per[íi]odo\b", re.IGNORECASE),
    "contract": re.compile(r"\bcontract(?:or)?\b(?!\s+(?:manager|administrator|specialist|"
    r"analyst|law\w*|negotiat\w*|management|research|engineer|officer|coordinator))|\bftc\b|"
    r"\bcdd\b|\bbefristet\b|\bc2c\b|\bfixed[\s-]term\b", re.IGNORECASE),
    "temporary": re.compile(r"\btemp(?:orary)?\b|\bseasonal\b|\bint[ée]rim\b", re.IGNORECASE),
    "internship": re.compile(r"\bintern(?:s|ship|ships)?\b|\bco-?op\b|\bpraktik(?:um|ant)\w*|"
    r"\bwerkstudent\w*|\bworking\s+student\b|\bstagiaire\b|\bstage\b(?!\s+manager)|"
    r"\bstagista\b|\btirocini\w+|\bbecari[oa]\b|\bpr[áa]cticas\b|\best[áa]gi[oa]\w*",
    re.IGNORECASE),
    "permanent": re.compile(
    r"\bpermanent\b|\bcdi\b|\bunbefristet\b|\bfestanstellung\b", re.IGNORECASE),
    "freelance": re.compile(r"\bfreelanc\w+|\bzzp\b|\bfreiberuf\w+", re.IGNORECASE),
    "apprenticeship": re.compile(r"\bapprentice\w*|\bausbildung\s+(?:zum|zur)|\bazubi\b|"
    r"\balternan\w+|\bauszubildende\w*|\bapprendistato\b", re.IGNORECASE),
    "volunteer": re.compile(r"\bvolunteer\b|\behrenamt\w*|\bbénévol\w+", re.IGNORECASE),
}  # fmt: skip

#: Statements about this job; a lone "contract" or "permanent" in prose is none.
SAID = (
    r"(?:job|position|employment|contract|work|role)[\s-]*(?:type|status)\s*[:\-–]\s*[^\n]{0,30}?"
)

ROLE = (
    r"(?:position|role|job|opportunity|contract|employment|employee|"
    r"basis|vacancy|stelle|anstellung)"
)

IN_TEXT = {
    "full_time": re.compile(rf"\b{SAID}full[\s-]*time\b|"
    rf"\bfull[\s-]?time,?\s+(?:\w+\s+)?{ROLE}\b|\b(?:is|in)\s+(?:a\s+)?full[\s-]?time\b|[|"
    rf"(,]\s*full[\s-]?time\b|\bFULL[\s-]?TIME\b|\bin\s+vollzeit\b|\bvollzeit(?:stelle|"
    rf"anstellung|job)?\b|\b(?:jornada|tiempo)\s+complet[ao]\b|\btemps\s+plein\b|\bfulltime\b|"
    rf"\bvoltijds?\b|\btempo\s+(?:pieno|integral|inteiro)\b|\bfull[\s-]time\s*(?:[|,)\n]|$)",
    re.IGNORECASE),
    "part_time": re.compile(rf"\b{SAID}part[\s-]*time\b|"
    rf"\bpart[\s-]?time,?\s+(?:\w+\s+)?{ROLE}\b|\b(?:is|in)\s+(?:a\s+)?part[\s-]?time\b|"
    rf"\bin\s+teilzeit\b|\bteilzeit(?:stelle)?\b|\b(?:jornada|tiempo)\s+parcial\b|"
    rf"\bmedia\s+jornada\b|\btemps\s+partiel\b|\bparttime\b|\bdeeltijds?\b|"
    rf"\btempo\s+(?:parziale|parcial)\b", re.IGNORECASE),
    "contract": re.compile(rf"\b{SAID}(?:contract|fixed[\s-]term)\b|\b(?:\d+|six|twelve|three|"
    rf"nine|eighteen)[\s-]*(?:\+\s*)?(?:months?|mths?|weeks?)[\s-]+(?:\w+\s+)?contract\b|"
    rf"\bcontract\s+(?:role|position|job|basis|to\s+hire|opportunity|duration)\b|"
    rf"\bfixed[\s-]term\s+(?:contract|position|role|appointment)\b|\bcontract\s+to\s+perm\w*|"
    rf"\bbefristet(?:e|er|en)?\b(?!\s*nicht)|\b(?:outside|inside)\s+ir35\b|\bcdd\b|"
    rf"\bcontractors?\s+(?:role|position|welcome)\b|\bcontrato\s+temporal\b|\bw2\s+(?:only|"
    rf"contract)\b|\bc2c\b|\btempo\s+determinato\b|\btijdelijk\s+contract\b", re.IGNORECASE),
    "temporary": re.compile(rf"\b{SAID}temp(?:orary)?\b|\btemporary\s+{ROLE}\b|"
    rf"\btemporary[\s-]to[\s-]perm\w*|\bseasonal\s+{ROLE}\b|\bmission\s+d['’]int[ée]rim\b",
    re.IGNORECASE),
    "internship": re.compile(rf"\b{SAID}internship\b|\b(?:this|our|the|an?|paid|summer|"
    rf"month)\s+internship\s+(?:position|is|will|program|opportunity|role|offers|starts)\b|"
    rf"\bthis\s+internship\b|\b(?:dein|ihr|das|ein|dieses)\s+praktikum\b|\bpflichtpraktikum\b|"
    rf"\bstage\s+de\s+(?:fin|\d|six|\w+\s+mois)\b|\bcontrato\s+(?:de|en)\s+pr[áa]cticas\b|"
    rf"\bconvenio\s+de\s+pr[áa]cticas\b|\btirocinio\b|\bwerkstudent\w*\b", re.IGNORECASE),
    "permanent": re.compile(rf"\b{SAID}permanent\b|"
    rf"\bpermanent,?\s+(?:\w+\s+)?(?:\w+\s+)?{ROLE}\b|\bunbefristete?[rnms]?\b|"
    rf"\bcontrato\s+indefinido\b|\bcdi\b|\bcontrat\s+[àa]\s+dur[ée]e\s+ind[ée]termin[ée]e\b|"
    rf"\btempo\s+indeterminato\b|\bvast\s+(?:contract|dienstverband)\b|\bonbepaalde\s+(?:tijd|"
    rf"duur)\b|\bfestanstellung\b|\bcontrato\s+sem\s+termo\b|\btillsvidareanst\w+", re.IGNORECASE),
    "freelance": re.compile(rf"\b{SAID}freelance\w*|"
    rf"\bfreelance(?:r)?\s+(?:\w+\s+)?(?:position|role|job|basis|opportunity|contract|"
    rf"project)\b|\bas\s+a\s+freelancer\b|\bauf\s+freiberuflicher\s+basis\b|"
    rf"\bindependent\s+contractor\b", re.IGNORECASE),
    "apprenticeship": re.compile(rf"\b{SAID}apprenticeship\b|\bthis\s+apprenticeship\b|"
    rf"\bapprenticeship\s+(?:program(?:me)?|role|position|opportunity)\b|\bcontrat\s+(?:en|"
    rf"d['’])\s*(?:alternance|apprentissage)\b|\b(?:deine|ihre|die)\s+ausbildung\s+(?:beginnt|"
    rf"startet|dauert|zum|zur)\b", re.IGNORECASE),
    "volunteer": re.compile(rf"\b{SAID}volunteer\b|\bvolunteer\s+(?:position|role|"
    rf"opportunity)\b|\bunpaid\s+volunteer\b", re.IGNORECASE),
}  # fmt: skip
