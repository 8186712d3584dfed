"""What ads say of the place of work, and what only sounds like it."""

from __future__ import annotations

import re

from nextstep.processors.shared.anchored import anchored, lowered
from nextstep.processors.shared.spotting import BIT

REMOTE = (
    r"\b(?:100\s?%\s*|fully[\s-]*|full[\s-]*|temporarily\s+)?(?:remote(?:ly)?|remoto|"
    r"t[ée]l[ée]travail|"
    r"work(?:ing)?[\s-]+(?:from|at)[\s-]+(?:home|anywhere)|wfh|home[\s-]+based|"
    r"home[\s-]?office|telecommut\w+|"
    r"virtual|distributed|anywhere)(?:[\s-]*(?:only|ok|okay|friendly|possible|eligible|first|"
    r"optional|"
    r"job|position|work|working))?\b"
)

HYBRID = (
    r"\b(?:hybrid\w*|hybride?s?|h[íi]brid[oa]|ibrid[oa]|partially\s+remote|semi-?\s?remote|"
    r"part(?:ly|ial(?:ly)?)?[\s-]+remote|flexible\s+remote)\b"
)

ONSITE = (
    r"\b(?:on[\s-]?site|in[\s-](?:the[\s-])?office|in[\s-]person|vor\s+ort|sur\s+site|"
    r"presencial|in\s+sede|"
    r"local\s+only|locals?\s+only|en\s+pr[ée]sentiel|op\s+locatie)\b"
)

NO_REMOTE = (
    r"\b(?:no|not|non|kein(?:e)?|sans|without|geen)[\s-]+(?:a\s+)?(?:remote|t[ée]l[ée]travail|"
    r"home[\s-]?office|wfh|work\s+from\s+home)\b|"
    r"\bremote\s*[:=]\s*no\b|\bremote\s+(?:work\s+|working\s+)?(?:is\s+)?not\b"
)

#: Every word of a location field that speaks of the mode, not of the place.
FIELD_MODE = re.compile("|".join((NO_REMOTE, HYBRID, REMOTE, ONSITE)), re.IGNORECASE)

FIELD_KINDS = tuple(
    (mode, re.compile(pattern, re.IGNORECASE))
    for mode, pattern in (("hybrid", HYBRID), ("remote", REMOTE), ("onsite", ONSITE))
)

REFUSED = re.compile(NO_REMOTE, re.IGNORECASE)

#: In titles these words name the subject of the work.
TITLE_SUBJECT = re.compile(
    anchored(
        r"\bremote[\s-]+(?:sens\w+|monitor\w*|support|access|desktop|control|pilot|operat\w+|site|"
        r"vehicle)|"
        r"\bvirtual\s+(?:assistant|reality|design|machine|agent|care|event|teacher|classroom|"
        r"production|desktop|network)|"
        r"\bdistributed\s+(?:systems?|comput\w+|data\w*|storage|ledger|energy|antenna|control|"
        r"training)|"
        r"\bhybrid\s+(?:cloud|vehicle|powertrain|mobile|app\w*|electric|it|infrastructure|systems?|"
        r"intelligence|search)|"
        r"\bon[\s-]?site\s+(?:engineer|technician|manager|support|supervisor)|"
        r"\bhome[\s-]office\s+(?:manager|support)"
    ),
    re.IGNORECASE,
)

#: Words around a mention that take its meaning away; blanked before the mentions are read.
NOT_A_MODE = lowered(
    r"\b(?<!fully\s)(?<!no\s)(?<!sider\s)(?<!siders\s)(?<!hire\s)(?<!hiring\s)(?<!hiring\sa\s)"
    r"(?<!office\sor\sa\s)(?<!join\sour\s)(?<!join\sa\s)"
    r"remote(?:ly)?[ \t-]+(?:sens\w+|monitor\w*|support(?:ing)?\b|access\w*|desktop\w*|"
    r"control\w*|management|"
    r"diagnos\w+|servers?|locations?\b(?<!from a remote location)|sites?|patient\w*|deposit|"
    r"communit\w+|areas?|villages?|"
    r"teams?\b|offices?|colleagues|employees|workers|workforce|users?|clients?|customers?|"
    r"devices?|equipment|operat\w+|"
    r"procedure|repositor\w*|data(?!\s+(?:scien|analy|engin|entry))|api\w*|interview\w*|onboarding|hands|assist\w*|learning|"
    r"health|care|meeting\w*|stakeholders|"
    r"collaborat\w+|environments?\b|work(?:ing)?\s+(?:stipend|allowance|"
    r"environment\s+experience|tools|budget|setup|equipment|polic\w+|days?))|"
    r"\binterviews?\b[^.\n]{0,30}\bremote(?:ly)?\b|\b(?:~?\d+\s?m(?:in\w*)?|video|"
    r"phone)\s+remote\b|"
    r"\b(?:pol[íi]tica|opci[óo]n|posibilidad|possibilidade)\s+(?:de|a)\s+(?:teletrabajo|"
    r"trabajo\s+remoto|trabalho\s+remoto|remoto)(?!\s+parcial)|"
    r"\baux[íi]lio\s+trabalho\s+remoto|\bremote\s+freedom|"
    r"\b(?:work[\s-]+from[\s-]+home|wfh|home[\s-]?office|remote(?:[\s-]+work(?:ing)?)?)\s+"
    r"(?:set-?\s?up\s+)?(?:indemnity|reimbursement|stipend|allowance|budget|equipment|benefits)|"
    r"\b(?:set\s+up|upgrade|furnish|equip)\s+(?:your|a)\s+home[\s-]?office\b|"
    r"\bfor\s+(?:(?:the|our|all|fully)[\s-]+)*remote(?:[\s-]+\w+)?\s+(?:roles|positions|jobs|"
    r"locations)\b|"
    r"\b(?:co-?located|distributed|local)\s+and\s+remote\s+\w+|"
    r"\b(?:with|of)\s+(?:(?:a|our|fully|100%|other)\s+)+remote(?:/distributed)?\s+(?:team\w*|"
    r"developers|engineers|colleagues)|"
    r"\b(?:one|two|three|four|some|half|most|many|\d+)\s+(?:of\s+\w+\s+)?(?:are|is|work)\s+"
    r"remote(?:ly)?\b|"
    r"\b(?:more|others|them|us|people|teammates)\s+(?:are|is|work)\s+(?:working\s+)?remote(?:ly)?\b|"
    r"\bto\s+the\s+remote\b|"
    r"\bdays\s+(?:of\s+)?(?:working\s+|work\s+)?remote(?:ly)?\s+(?:work\s+)?(?:from\s+)?abroad\b|"
    r"\bteams?\s+\((?:local\s+or\s+)?remote\)|"
    r"\b(?:quarterly|yearly|annual|monthly|bi-?annual|company)\s+(?:\w+\s+)?on-?sites?\b|"
    r"\bexperience\s+working\s+remote(?:ly)?\b|\bremote\s+working\s+conditions\b|"
    r"\bhybrid[\s-]+(?:casual|technical|professional)\b|"
    r"\bhybrid\s+(?:of|between)\b|\b(?:roles?|positions?)\s+and\s+hybrid\s+roles\b|"
    r"\bflexib\w+\s+to\s+work\s+from\s+home\s+(?:on\s+occasion|occasional|some|when)\w*|"
    r"\b(?:work(?:ing)?\s+from\s+home|remote(?:\s+work)?|home[\s-]?office)\b[^.\n]{0,20}"
    r"\b(?:on\s+occasion|occasionally|when\s+needed|as\s+needed)\b|"
    r"\b(?:occasional(?:ly)?|some|limited|option(?:s)?\s+(?:for|of)|possibility\s+of|"
    r"ad[\s-]hoc|temporary|emergency|partial)\s+"
    r"(?:\w+\s+)?(?:remote|home[\s-]?office|wfh|work(?:ing)?\s+from\s+home)\b|"
    r"\b(?:manage|managing|lead|leading|coordinate|with|across|between|both|our|and|or|"
    r"multiple|global|distributed|supporting|experience\s+(?:in|with|working\s+in))\s+"
    r"remote(?=\s+(?:and|&|/|or)\s+(?:on[\s-]?site|distributed|in-?person|local)\s+(?:teams?|"
    r"staff|employees|colleagues|users|stakeholders))|"
    r"\bhybrid[ \t-]+(?:cloud\w*|vehicle\w*|electric\w*|systems?|architectures?|infrastructure|"
    r"apps?\b|applications?|mobile|it\b|multi\w*|deploy\w*|"
    r"cars?|siem|develop\w*|infrastruk\w*|rol(?:e|es)\s+(?:between|(?:that|which)\s+(?:combin|blend|mix|merg|sit|bridg|span)\w*)|methodolog\w+|"
    r"data\w*|integration\w*|solutions?|intelligence|search|powertrain\w*|agile|"
    r"projects?\b(?!\s+(?:based|in)\b)|"
    r"event\w*|meeting\w*|modell?ing|team\s+of|models?\s+(?:that\s+combine|for\s+predict\w*)|"
    r"mesh|"
    r"warfare|ai|ml|recommend\w*|rag|retriev\w*|quantum|threat\w*|retail)|"
    r"\b(?:multi|multi-cloud|cloud|public|private|aws)(?:\s+(?:and|or)|,|\s*/)\s+hybrid\b|"
    r"\bhybrid(?:/|\s+or\s+|\s+and\s+)(?:multi|cloud|electric|agile)\w*|\bplug-in\s+hybrid\w*|"
    r"\bon[\s-]?site\s+(?:gym\w*|parking|cafeteria\w*|canteen|caf[ée]\w*|child\s?care|daycare|"
    r"nurser\w+|visits?|support|client\w*|customer\w*|"
    r"restaurant\w*|lunch\w*|doctor|medical|clinic\w*|fitness|wellness|interview\w*|health\w*|"
    r"massage|meals?|kitchen|barista|amenities|training\w*|facilities|"
    r"meetings?|inspections?|audits?|chef|perks|gyms|services?|shower\w*|dining|pharmac\w*|"
    r"physio\w*|bar|experience\s+days|installation\w*)|"
    r"\b(?:client|customer|on|job)[\s-]on[\s-]?site\w*|\bon[\s-]?site\s+(?:at|"
    r"with)\s+(?:client|customer)\w*|\bvisit\w*\s+on[\s-]?site|\bin[\s-]person\s+(?:meeting\w*|"
    r"event\w*|interview\w*|training\w*|visit\w*|social\w*|collaborat\w*(?!\s+from\b)|team)|"
    r"\bin\s+the\s+office\s+(?:of|we|there|you\s+will\s+find)|\b(?:fruit|snacks?|drinks?|"
    r"coffee|breakfast|lunch\w*|beer|dogs?|massages?|fridge|"
    r"games?)[^.\n]{0,25}\bin\s+the\s+office|\bmicrosoft\s+office\b|"
    r"\bdistributed\s+(?:systems?|comput\w+|data\w*|storage|ledger|training|algorithms?|"
    r"architect\w+|tracing|processing|cache|environments?|services|applications?|micro\w*|file|"
    r"sql|version)|"
    r"\bvirtual\s+(?:assistant\w*|reality|machine\w*|care|event\w*|interview\w*|meeting\w*|"
    r"environment\w*|network\w*|private|desktop\w*|classroom\w*|teams?|agents?|training|desk)|"
    r"\banywhere\s+(?:in\s+the\s+app|else|from|on\s+the\s+site)(?!\s+in)"
)

TEXT_HYBRID = lowered(
    r"\b(?:[1-4]|uno?a?|un|um|dois|dos|due|tre|trois|deux|zwei|drei|twee|drie)\s+"
    r"(?:d[ií]as?|vez(?:es)?|giorn[oi]|jours?|tage?|dagen?|dage)\b[^.\n]{0,12}\b(?:en\s+|de\s+|in\s+)?"
    r"(?:remot[oa]|remote|tele-?trabajo|home[\s-]?office|smart\s?working|presencial\w*|"
    r"t[ée]l[ée]travail)\b|"
    r"\btele-?trabajo\s*:?\s*(?:[1-4]\s+d[ií]as?|en\s+un\s+\d\d?\s?%|(?:al\s+)?[1-8]\d\s?%)|"
    r"\b(?:delvist|deels|teilweise|parcialmente|partiellement|parzialmente)\s+remot\w*|"
    r"\bremote[\s-]*anteil\b|\boffice\s+und\s+(?:im\s+)?home[\s-]?office\b|"
    r"\bt[ée]l[ée]travail\b[^.\n]{0,20}\b\d\d\s+jours\b|"
    r"\b(?:balance|mix|combine|split\w*)\s+(?:of\s+|between\s+)?(?:remote|home)\s+and\s+"
    r"(?:office|on-?site|in-?person)\b|"
    r"\bpart\s+of\s+(?:your|the)\s+(?:time|week)\s+(?:working\s+)?(?:remotely|from\s+home)\b|"
    r"\bwork(?:ing)?\s+(?:from\s+home|remote(?:ly)?|on-?site|in\s+the\s+office)\b[\s,(]*(?:for\s+)?"
    r"(?:at\s+least\s+|up\s+to\s+|max(?:imum)?\.?\s+(?:of\s+)?|a\s+minimum\s+of\s+)?"
    r"(?:[1-4]|one|two|three|four)(?:\s?(?:-|–|to|or)\s?\w+)?\s*days?\b|"
    r"\b(?:mon|tues|wednes|thurs|fri)days?\s+(?:are|is)\s+(?:work[\s-]from[\s-]home|wfh|remote)\b|"
    r"\bpart(?:ly|ially)\s+(?:work(?:ing)?\s+)?(?:from\s+home|remotely)\b|"
    r"\bsome\s+(?:\w+\s+)?days\s+(?:\w+\s+)?(?:on-?site|in\s+the\s+office|from\s+home|remote)\b|"
    r"\bsome\s+(?:on-?site|in[\s-]office|remote|home)\s+days\b|"
    r"\bblended\s+work\w*|\bboth\s+remote\s+and\s+(?:on-?site|in[\s-](?:office|person))\b|"
    r"\b[1-4](?:\s?-\s?[1-4])?\s?(?:x|times)\s+(?:a|per|each|/)\s*week\s+(?:in|at|from|on)\b|"
    r"\b(?:[1-4]|one|two|three|four)\s+days?\s+of\s+(?:work(?:ing)?\s+from\s+home|remote|wfh|home[\s-]?office)|"
    r"\bwork(?:ing)?\s+(?:from\s+home|remotely)\s+part\s+of\b|"
    r"\b(?:office|on-?site|in[\s-]person)\b[^.\n]{0,80}\b(?:at\s+least|minimum(?:\s+of)?|up\s+to)\s+"
    r"(?:[1-4]|one|two|three|four)(?:\s?(?:-|–|to|or)\s?[1-4])?\s+days?\s+(?:a|per|each)\s+week\b|"
    r"\bhome[\s-]?office\s+days\b|\bon-?site\s+(?:work|presence|attendance)\s+(?:of\s+|for\s+)?"
    r"(?:at\s+least\s+|up\s+to\s+)?(?:[1-4]|one|two|three|four)\s+days\b|"
    r"\bup\s+to\s+(?:[1-4]|one|two|three|four)\s+days\b[^.\n]{0,24}\bfrom\s+home\b|"
    r"\bhome[\s-]?office\b[^.\n]{0,16}\(?(?:[1-4]|one|two|three|four)\s*(?:days?|tage?)\b|"
    r"\b(?:one|two|three|four|[1-4])\s+(?:optional\s+)?(?:work[\s-]from[\s-]home|wfh|"
    r"home[\s-]?office|remote)\s+days?\b|"
    r"\bcombin\w+\s+(?:work(?:ing)?\s+(?:from|at)\s+home|remote(?:\s+work(?:ing)?)?|"
    r"home[\s-]?office|on-?site|office)\b[^.\n]{0,20}\b(?:and|with)\s+(?:\w+\s+)?(?:on-?site|"
    r"office|in-?person|off-?site|remote|home)|"
    r"\b(?:(?:mon|tues|wednes|thurs|fri)days?\b[^.\n]{0,30}){1,5}\bremote\b[^.\n]{0,20}"
    r"\b(?:mon|tues|wednes|thurs|fri)days?\b|"
    r"\b(?:in[\s-]person|(?:in|at|from)\s+(?:the\s+|our\s+)?office|"
    r"on-?site)\b[^.\n]{0,50}\b(?:and|with|"
    r"plus)\s+(?:\w+\s+)?(?:remote(?:ly)?|home|wfh)\b[^.\n]{0,20}?\b(?:days?|friday|monday|"
    r"rest)\b|"
    r"\bdays\s+(?:at|from)\s+home\b[^.\n]{0,25}\bdays\s+(?:in|at)\b|"
    r"\bin\s+(?:[1-4]\s?(?:-|–|to|or)\s?)?[1-4]\s+days\s+(?:a|per|each)\s+week\b|"
    r"\b(?:[1-4]\s?(?:-|–|/|to|or)\s?)?[1-4]\s+(?:set\s+|fixed\s+)?(?:in[\s-]person\s+|"
    r"office\s+)?days?\s+"
    r"(?:a\s+week\s+|per\s+week\s+|/\s?week\s+|each\s+week\s+)?(?:in\s+(?:the\s+|our\s+|"
    r"their\s+)?office|"
    r"on-?site|at\s+one\s+of\s+our|home|wfh|office|remote)\b|"
    r"\bflexib\w+[^.\n]{0,20}\bsplit\b[^.\n]{0,40}\bhome\b|"
    r"\bsplit\w*\s+(?:your\s+time\s+)?(?:across|between)\b[^.\n]{0,80}\bhome\b|"
    r"\boffices?\s+at\s+least\s+(?:one|two|three|four|[1-4])\s+days?\b|"
    r"\bhybrid(?:e[nrs]?|es)?(?:[\s,-]+(?:work\w*|role|position|job|model\w*|schedule|setup|capacity|fashion|manner|"
    r"set-up|office|remote|basis|opportunity|policy|arrangement\w*|format|"
    r"environment|contract|arbeits\w*|arbeiten|modell\w*|werken|werkplek|on-?site|flexible|"
    r"mode|role\w*|pattern|from|in|at|–|-))?\b|"
    r"\b(?:modalidad|trabajo|modelo|regime|trabalho|modalit[àa]|lavoro|formato|esquema|"
    r"contratación)\s+(?:de\s+trabajo\s+)?(?:h[íi]brid[oa]|ibrid[oa])\b|\bh[íi]brid[oa]\b|"
    r"\bibrid[oa]\b|"
    r"\b(?:[1-4]|two|three|four|one|zwei|drei|deux|trois|twee|drie|2-3|1-2|3-4)(?:\s*(?:-|to|"
    r"or)\s*\d)?\+?\s+(?:days?|tage?|jours|dagen|d[íi]as|giorni)\s+(?:per|a|each|/|par|pro|"
    r"in\s+der|per\s+week\s+in|in|at|from|of|de|im|en|di)\s*"
    r"(?:week\s+|woche\s+|semaine\s+|semana\s+)?(?:in\s+(?:the\s+|our\s+)?|from\s+(?:the\s+|"
    r"our\s+)?|at\s+(?:the\s+|our\s+)?|im\s+|en\s+|of\s+|working\s+(?:from\s+)?|"
    r"op\s+)?(?:\w+\s+)?(?:offices?|on-?site|home\s?-?office|t[ée]l[ée]travail|remote|home|"
    r"teletrabajo|smart\s?working|kantoor|thuiswerk\w*|oficina|büro)\b|"
    r"\bteletrabajo\s+parcial\b|"
    r"\b\d\s*d[íi]as?\s*/\s*semana\s+(?:de\s+)?(?:trabajo\s+en\s+remoto|teletrabajo|"
    r"en\s+remoto|presencial)|\b(?:[1-4]|two|three|four)[\s-]days?\s+(?:per|"
    r"a)\s+week\s+(?:on[\s-]?site|in[\s-](?:the[\s-])?office|remote)|"
    r"\bx?(?:[1-4]|two|three|four)\s+days\s+(?:in|at|from)\s+(?:the\s+|our\s+)?office\b|"
    r"\bon-?site\s+(?:[1-4]|one|two|three|four)\s+days?\b|\bgiornate\s+in\s+smart\s?working\b|"
    r"\bwork(?:ing)?\s+(?:remotely|from\s+home)\s+(?:for\s+)?(?:part|"
    r"some)\s+of\s+the\s+(?:week|time)\b|\b(?:partially|partly|part)[\s-]remote\b|"
    r"\bsemi-?remote\b|\bmobile[sn]?\s+arbeiten\b[^.\n]{0,30}\btage\b|"
    r"\bt[ée]l[ée]travail\s+(?:partiel|\d\s*jours?|hybride)|"
    r"\bsmart\s?working\s+(?:\d|due|tre)\s+giorni\b|"
    r"\b(?:combination|mix|blend|mixture)\s+of\s+(?:remote|home|office|in-?office|"
    r"on-?site)[^.\n]{0,40}(?:office|remote|home|on-?site)\b"
)

TEXT_REMOTE = lowered(
    r"\b(?:100\s?%|fully|completely|full)[\s-]+(?:remote|telecommut\w+)|"
    r"\bm[öo]glich\w*,?\s+(?:\w+,?\s+){0,4}?(?:remote|home[\s-]?office|homeoffice|mobile[ns]?\s+arbeiten)\b|"
    r"\b(?:home[\s-]?office|remote)[\s-]+m[öo]glich\w*|\bremote\s+von\s+zu\s+hause\b|"
    r"\b(?:posi[cç][aã]o|posici[óo]n|vaga|puesto|trabajo|trabalho|ruolo|lavoro|opportunit[àa])\s+"
    r"(?:\w+\s+){0,2}?(?:completamente\s+|100\s?%\s+)?remot[ao]\b|"
    r"\bcompletamente\s+(?:in\s+|en\s+)?remot[ao]\b|\bmodalit[àa]\s+di\s+lavoro\s*:\s*(?:da\s+)?remoto\b|"
    r"\bpossibilit(?:à|é|y)\s+(?:di|de|of)\s+(?:smart\s?working|t[ée]l[ée]travail|"
    r"remote\s+work)\b|\bposte\s+en\s+(?:home[\s-]?office|t[ée]l[ée]travail)\b|"
    r"\b(?:hauptsächlich|überwiegend|vorwiegend|komplett)\s+(?:\w+\s+){0,3}?remote\b|"
    r"\bor\s+(?:fully\s+)?remote(?:ly)?(?=\s*(?:$|[.,;:|()]|from\b))|"
    r"\b(?:(?<=[&/+,;(])|(?<=[&/+,;(]\s))telecommut\w+|\bfull[\s-]time\s+telecommut\w+|\bhires?\s+remotely\b|"
    r"\b(?:(?<![^;,/|(\[–—\-•·*>\n])|(?<=[;,/|(\[–—\-•·*>\n]\s))remote(?=\s*(?:[;,/|()–—+&-]|$))|"
    r"\b(?:roles?|positions?|jobs?|openings?|engineers?|developers?)\s+(?:is|are|can\s+be)\s+(?:\w+\s+)?"
    r"remote\b|\bremote,\s+(?:[\w-]+,?\s+){0,3}(?:position|role|job|opportunity)\b|"
    r"\bhome,\s+(?:an?\s+|the\s+|our\s+)?office,?\s+or\b|"
    r"\b(?:join|part\s+of)\s+(?:our|a|an|the)\s+(?:\w+\s+)?remote\s+team\b|"
    r"\b(?:in|offer\w*|provid\w+|flexible|is)\s+(?:an?\s+)?(?:fully\s+|flexible\s+)?remote\s+work\s+environment\b|"
    r"\bremote\s+(?:applications?|candidates?|applicants?|workers?)\s+(?:are\s+|is\s+)?(?:fine|ok|okay|"
    r"possible|accepted|encouraged)\b|"
    r"\bwork\s+(?:\w+ly\s+and\s+)remotely\b|"
    r"\bremote\s+(?:\w+\s+){1,2}(?:jobs|roles|positions|opportunities)\b|"
    r"\b(?:happy|glad|open|willing|fine)\s+(?:to\s+work\s+)?(?:with|to)\s+remote\b|"
    r"\b(?:(?<=,)|(?<=,\s))remote\s+(?:and|or|with)\b|"
    r"\bremote\s*/\s*(?:in[\s-](?:the\s+)?office|re-?location)\b|"
    r"\b(?:seek\w*|hiring|looking\s+for|need)\s+(?:a\s+|an\s+)?remote\b|"
    r"\b(?:can|may|could|to)\s+be\s+(?:done|performed|completed|filled|located|based)\s+"
    r"(?:\w+\s+)?remote(?:ly)?\b|"
    r"\boffice\s+or\s+(?:a\s+)?remote\s+location\b|"
    r"\bremote\s+or\s+(?:local|on-?site)\b|"
    r"\bremote(?:\s+\w+)?\s+(?:(?:is|are|will\s+be)\s+)?(?:considered|negotiable|welcome)\b|"
    r"\bremote\s+(?:(?:is|might\s+be|may\s+be|could\s+be)\s+)?(?:(?:a|an)\s+(?:possibility|"
    r"option)|possible)\b|"
    r"^[\s\-*•>|]*remote\s+(?:and|will|is\s+(?:ok|fine|"
    r"possible)|ok|or|from|"
    r"only|flexib\w+)\b|"
    r"\bwork(?:ing)?\s+from\s+a\s+remote\s+location\b|"
    r"\bwork(?:ing)?\s+in\s+a\s+home[\s-]office\b|"
    r"\bregularly\s+work\s+from\s+home\b|\bwork(?:ing)?[\s-]+(?:from|at)[\s-]+home(?=[A-Za-z])|"
    r""
    r"\bremote\s*[/&]\s*(?:on-?site|local)\b|\bremote\s+(?:developers?|engineers?|"
    r"candidates?|applicants?|"
    r"designers?|analysts?|hires?)\b|\b(?:consider|open\s+to|hire|have|"
    r"welcom\w+)\b[^.\n]{0,25}\bremote\b|"
    r"\btelecommut\w+\s+(?:allowed|ok|possible|option\w*|available)\b|"
    r"\bvirtual\s+(?:position|role|job|opportunity)\b|\bwork\s+from\s+their\s+homes?\b|"
    r"\b(?:ability|able|willing|option|possible|possibility|flexibility|freedom|choose|"
    r"chance)\s+(?:to\s+)?"
    r"work(?:ing)?\s+(?:\w+\s+){0,2}?remote(?:ly)?\b|\bwork\s+remote\b|"
    r"\b(?:office|hybrid|on-?site)\s*,?\s+or\s+(?:a\s+)?remote\b|"
    r"\b(?:an?|as)\s+(?:\w+\s+)?remote\s+(?:contract|full|part|senior|junior)\b|\bremote\s*[|"
    r"•·]|"
    r"\b(?:fully|100\s?%|completely|entirely|full[\s-]time|permanent(?:ly)?|"
    r"primarily)[\s,-]*(?:\(?)(?:remote(?:ly)?|remoto|virtual|home[\s-]?office|"
    r"t[ée]l[ée]travail)\b|"
    r"\b(?:this|the|our|position|role|job|opportunity|role\s+type|it)\s+(?:\w+\s+){0,3}?(?:is|"
    r"can\s+be|will\s+be|may\s+be)\s+(?:\w+\s+){0,2}?(?:remote(?:ly)?|virtual|home[\s-]based|"
    r"work[\s-]from[\s-]home)\b|"
    r"\bremote(?:[\s,-]+(?:role|position|job|opportunity|opportunities|first|only|work|working|"
    r"contract\w*|based|basis|modality|structure|flexibility|possibilit\w+|opportunit\w+|"
    r"friendly|ok|okay|possible|eligible|within|in\s+(?:the\s+)?(?:us|uk|"
    r"usa|united|europe|eu|canada|germany|spain|india)|from|option\w*|"
    r"anywhere|u\.?s\.?a?|uk|eu|europe|worldwide|global\w*|emea|latam|canada|\(|/))|"
    r"\b(?:location|standort|lieu|ubicaci[óo]n|place|location\s+type|type\s+of\s+(?:position|job|work|role|"
    r"contract)|arrangement|"
    r"work(?:ing)?\s*(?:place|mode|type|arrangement|setting|"
    r"model|location)|workplace\s+type|job\s+type|where|sede|local|ort|modalidad|"
    r"place\s+of\s+work|position\s+type|employment\s+type|job\s+location|remote)\s*[:\-–|"
    r"]\s*[^.\n]{0,40}?\b(?:remote|anywhere|remoto|home[\s-]based|work\s+from\s+home|"
    r"home\s?office|yes)\b|"
    r"\bwork(?:ing)?\s+(?:fully\s+)?(?:remotely|from\s+(?:anywhere|home))\b(?!\s+(?:stipend|"
    r"allowance|policy|days|occasion))|\bremote\s*[|)\]]|\b(?:(?<=[|(\[])|(?<=[|(\[]\s))remote\b|"
    r"\b(?:we\s+are|we['’]re)\s+(?:a\s+)?(?:fully\s+)?(?:remote|distributed)\b|"
    r"\b(?:100\s?%\s+)?(?:100\s?%\s+teletrabajo|trabajo\s+100\s?%\s+(?:en\s+)?remoto|"
    r"(?:modalidad|modelo|regime)\s+(?:de\s+)?(?:\w+\s+)?(?:remot[oa]|teletrabajo)|"
    r"trabajo\s+en\s+remoto|trabalho\s+remoto|lavoro\s+da\s+remoto|full\s+remote|en\s+remoto|"
    r"da\s+remoto|100%\s+remot[oa])\b|\bremote\s+(?:in|within|across)\b",
    re.MULTILINE,
)

TEXT_ONSITE = lowered(
    r"\b(?:full[\s-]?time|part[\s-]?time|permanent)\s*[,/|-]?\s*on[\s-]?site\b|"
    r"^[\s\-*•>]*(?:on-?site|presencial)\s*(?=[(,:–—-])|"
    r"\blocated\s+on-?site\b|\beveryone\s+on-?site\b|"
    r"\b(?:do\s+not|don['’]t|cannot|can['’]t|not)\s+(?:\w+\s+){0,4}?remote(?:ly)?(?:\s*[,.!;]|\s+(?:positions?|work(?:ers?)?|"
    r"candidates?|applicants?|roles?|employees)\b)|"
    r"\b(?:no|\w+no)\s+telecommut\w+|\bnot\s+(?:open|available|eligible)\s+(?:for|to)\s+(?:\w+\s+)?"
    r"(?:remote|telecommut\w+|wfh|home[\s-]?office)\b|"
    r"\bno\s+remote\s+(?:work(?:ers?)?|candidates|applicants|positions?)\b|"
    r"\b(?:work(?:ing)?\s+)?remote(?:ly)?\s+is\s+not\b|"
    r"\bon[\s-]?site\s*[/,(|•·–-]+\s*(?:full|part|relo\w*|visa|permanent|perm\b)|"
    r"\b(?:(?<=[•·*,/])|(?<=[•·*,/]\s))on[\s-]?site(?=\s*(?:$|[•·*,|]))|"
    r"\bon[\s-]?site\s*[|•·]|\b(?:(?<=[\s–-][-–])|(?<=[\s–-][-–]\s))on[\s-]?site\b|\bonsite\s*$|"
    r"\b(?:work(?:ing)?|be|is)\s+on[\s-]?site\b(?!\s+(?:and|or)\s+remote)|"
    r"\bon[\s-]?site\s+(?:position|in\b|with\s+one\s+of|location\b)|"
    r"\bwill\s+(?:\w+\s+)?work\s+(?:from|in|out\s+of)\s+(?:the|our)\s+(?:[\w’']+\s+){0,6}office\b|"
    r"\b(?:this|the|our|position|role|job)\s+(?:\w+\s+){0,3}?(?:is|will\s+be|requires?|"
    r"must\s+be)\s+(?:\w+\s+){0,3}?(?:on[\s-]?site|in[\s-](?:the[\s-])?office|in[\s-]person|"
    r"office[\s-]based)\b|"
    r"\b(?:on[\s-]?site|in[\s-]office|in[\s-]person|office[\s-]based)[\s,-]+(?:role|position|"
    r"job|work\b|only|required|requirement|presence|attendance|5|five|full[\s-]?time|daily|"
    r"every\s+day|in\s+[A-Z])|"
    r"\b(?:fully|100\s?%|full[\s-]time|strictly)[\s,-]*(?:on[\s-]?site|"
    r"in[\s-](?:the[\s-])?office|in[\s-]person|office[\s-]based)\b|"
    r"\b(?:location|type\s+of\s+(?:position|job|work|role|contract)|place|"
    r"work(?:ing)?\s*(?:place|mode|type|arrangement|setting|model|location)|"
    r"workplace\s+type|job\s+type|position\s+type|job\s+location|modalidad|standort|"
    r"remote)\s*[:\-–|]\s*[^.\n]{0,40}?\b(?:on[\s-]?site|in[\s-]office|in[\s-]person|"
    r"presencial|vor\s+ort|office[\s-]based|en\s+pr[ée]sentiel)\b|"
    r"\b(?:five|5)\s+days\s+(?:on-?site|in[\s-](?:the\s+)?office)\b|"
    r"\b(?:five|5)\s+days\s+(?:a|per|/)\s*week\s+(?:in|from|at|on)[\s-]+(?:the\s+|"
    r"our\s+)?(?:office|site)\b|\b(?:must|need\s+to|required\s+to|able\s+to)\s+(?:work|be|"
    r"commute)\s+(?:\w+\s+)?(?:on[\s-]?site|in[\s-](?:the[\s-]|our[\s-])?office|"
    r"in[\s-]person)\b|"
    r"\b(?:(?<=[|(\[])|(?<=[|(\[]\s))on[\s-]?site\b|\bon[\s-]?site\s*[|)\]]|\b(?:trabajo|modalidad|"
    r"trabalho|regime|modelo|atua[çc][ãa]o)"
    r"(?:\s+de\s+trabalho|\s+de\s+trabajo)?\s*:?\s*(?:100%\s+)?presencial\b|\b100\s?%\s+presencial\b|"
    r"\blocal\s+candidates\s+only\b|\blocals?\s+only\b|\bremote\s*[:=]\s*no\b|\b(?:no|"
    r"not)\s+(?:a\s+)?remote\b|\bkein(?:e)?\s+(?:home\s?office|remote)\b|"
    r"\bremote\s+(?:work\s+)?(?:is\s+)?not\s+(?:possible|available|an\s+option|permitted|"
    r"allowed|offered|considered)\b",
    re.MULTILINE,
)

#: What only its capitals tell: a shouted word, or a word that the next one is glued to.
CASED_REMOTE = re.compile(
    r"\bREMOTE(?:\b|(?=[A-Z][a-z]|http))|(?<=[a-z])Work\s+from\s+home\b|"
    r"^[\s\-*•>]*Remote(?:,\s+[A-Z]|(?:\s+[A-Z][\w/&]*){0,3}\s+(?:Engineer|Developer|Analyst|Associate|"
    r"Manager|Scientist|Designer|Architect|Consultant|Assistant|Specialist|Representative|"
    r"Director|Lead)\b)",
    re.MULTILINE,
)

CASED_ONSITE = re.compile(r"\bON-?SITE\b|\b[Oo]n-?site(?=[A-Z][a-z])")

#: Mode, pattern of lower case, pattern of the text as written, and the words that call for them.
PATTERNS = (
    ("hybrid", TEXT_HYBRID, None, BIT["hybrid"]),
    ("remote", TEXT_REMOTE, CASED_REMOTE, BIT["remote"]),
    # "No remote" is a refusal: it says onsite.
    ("onsite", TEXT_ONSITE, CASED_ONSITE, BIT["onsite"] | BIT["remote"]),
)

TELLING = BIT["remote"] | BIT["onsite"]

#: "days" alone tells nothing; days at an office or at home do.
DAYS = re.compile(
    r"h[yíi]brid|ibrid|office|home|remote|kantoor|oficina|b[üu]ro|smart|semi|casa|presenci",
    re.IGNORECASE,
)

REFUSAL = re.compile(r"\b(?:no|not|kein\w*)\b", re.IGNORECASE)

STRONG = re.compile(r"(?i:fully|100|complete|entire|full|location|workplace|role|position)|REMOTE")

#: Further down an ad speaks of benefits and of the firm.
READ = 12_000

WORKPLACE = re.compile(
    r"\b(?:office|remote(?:ly)?|on-?site|home|work(?:ing|place|s)?|days?|week|location|"
    r"flexib\w+|schedule|policy|position|role)\b",
    re.IGNORECASE,
)
