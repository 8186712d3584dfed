"""
Where in a text the words of a field stand, found in one pass for all fields.

The patterns of a field are many and slow; they are tried only near such a word. One automaton
over lower-cased text costs a twentieth of the patterns over the whole text.

Source: issue 5 (800 ads of 500 words per second and core).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter

import ahocorasick_rs
import msgspec

#: Field -> words, parted by "|". A word begins where no letter stands before it ("*word"
#: lifts that) and ends before none ("word*" lifts that).
WORDS: dict[str, str] = {
    "hybrid": "*hybrid*|híbrid*|hibrid*|ibrid*|days|day|days*|two-day|tage*|tagen|jours*|dagen|"
    "días|dias|día|dia|giorni|giornate|giorno|vezes|veces|delvist|deels|teilweise|parcialmente|"
    "monday*|mondays|tuesday*|wednesday*|thursday*|friday*|"
    "partially*|partly|part-remote|semi-remote*|semi*|mobiles|mobilen|combination of|mix of|"
    "blend of|mixture of|part of the|part of|blended*|"
    "split*|combin*|balance|some days|some onsite|some on-site|some remote|some in-office|"
    "both remote|*anteil|und home*|und im home*|week in|week at|x a week|times a week|x per week",
    "remote": "*remote*|remoto|remota|*virtual*|from home*|at home*|home base*|home-base*|"
    "homebase*|home off*|home-off*|home work*|home-work*|homework*|home and|home or|home,|"
    "home days|home/*|and home|or home|their home*|work from*|working from*|wfh|telecommut*|"
    "anywhere|distributed|"
    "télétravail*|teletravail*|teletrabajo*|homeoffice*|da remoto|smart working|smartworking|"
    "mobiles arbeiten",
    "onsite": "*on-site*|*onsite*|on site|in-office|in office|in the office|in our office|"
    "work from the|work from our|work out of|in-person|in person|office-based|"
    "office based|presencial|presentiel|présentiel|vor ort|days a week|local candidates|"
    "locals only|local only|days onsite",
    "phd": "*phd*|*ph.d*|ph d*|*ph. d*|doctor*|doutor*|dottor*|dphil|d.phil|promotion*|promov*|"
    "doktor*|gepromov*|thèse*",
    "master": "*master*|máster*|mba*|m.b.a*|msc*|m.sc*|m.s*|m.a*|*/ms|ms|mtech|m.tech|meng|"
    "m.eng|mphil|m.phil|postgrad*|"
    "post-grad*|post grad*|posgrad*|postgrado|pós-grad*|graduate degree*|graduate-level*|"
    "graduate level*|advanced degree*|advanced academic*|maestr*|"
    "mestrado*|laurea*|bac+*|bac +*|école d*|ecole d*|diplôme d*|grande école|wo|wo-*|hbo*|"
    "diplom*|magister*",
    "bachelor": "*bachelor*|*baccalaureate*|b.s*|b.a*|b.e*|b.t*|b.c*|bsc*|beng|bcom|btech|bs|"
    "ba|*/bs|undergrad*|under grad*|"
    "first degree|honours*|honors*|licenciat*|grado*|"
    "graduação*|ensino*|superior*|"
    "titulaci*|laurea*|licence*|bac+*|bac +*|hbo*|fachhochschul*",
    "degree": "*degree*|formación sup*|formacion sup*|university grad*|*studium*|*abschluss*|"
    "college ed*|university ed*|college grad*|"
    "postsecondary*|post-secondary ed*|tertiary ed*|"
    "formation sup*|diplôme univ*|estudios*|graduad*|universitaire*|cursando|formação*|"
    "högskole*|akademisk*",
    "associate": "associate*|foundation degree|*diploma*|hnd|hnc|bts|dut|bac+*|bac +*|"
    "two-year deg*|2-year deg*|two year deg*|2 year deg*|nitec*|mbo*|ciclo*|grado*|"
    "tecnologo*|tecnólogo*",
    "apprenticeship": "apprentic*|time-served|time served|vocational*|*ausbildung*|nvq*|"
    "formación prof*|formacion prof*|fp|lehr*|abgeschlossene lehre|cap/*|cap /*|bep|"
    "berufslehre*",
    "high_school": "*high school*|*high-school*|secondary*|ged|g.e.d*|a-level*|a level*|"
    "o level*|o-level*|o' level*|n level*|n-level*|n' level*|o’ level*|n’ level*|'o' level*|"
    "'n' level*|gcse*|abitur*|matura*|"
    "fachabitur*|baccalaur*|bachillerato*|ensino*|segundo grau|diploma di*|matric|hsc|"
    "senior certificate|leaving certificate|mittlere*|realschul*",
    "years": "*year*|*yrs*|*yr*|*yoe*|jahr*|jähr*|jaehr*|*jährige*|an|ans|année*|annee*|año*|"
    "ano|anos|anni|anno|jaar|jaren|år|års|lat|lata|"
    "*month*|monat*|mois|meses|mesi|maanden",
    "money": "*$*|*£*|*€*|*₹*|*¥*|*₩*|*₱*|*฿*|*₺*|*₪*|*₦*|"
    "usd*|cad|cad$*|aud*|nzd*|sgd*|hkd*|mxn*|gbp*|"
    "eur|euro|euros|inr*|rs|rs.|chf*|sek|nok|dkk|pln|czk*|huf|ron|jpy|cny|rmb|aed|sar|qar|zar|myr|"
    "rm*|php|thb|idr|rp|vnd|ils|brl|twd|kr|zł|lei|dollars|pounds|rupees|reais|salar*|pay|pays|"
    "paying|payrange*|wage*|compensation*|remunera*|rémunér*|earn|earns|earning|earnings|rate|"
    "rates|*gehalt*|entgelt*|vergütung*|*lohn|lohn*|salaire*|retribu*|sueldo*|stipend*|ral|"
    "bolsa*|vencimento*|loon|ctc|lpa|package|tjm|tarief*|hourly*|annual|annually|per annum|"
    "brutto*|bruto*|brut|lön*|løn*|einkommen*|fixum*|income|base|guaranteed",
    "level": "entry-level|entry level|junior*|mid-level|mid level|mid-senior|intermediate|"
    "medior|senior*|sr.*|lead|principal|staff|graduate|trainee|intern|internship*|"
    "werkstudent*|praktik*|stagiaire*|becario*|stagista*|tirocinio*|stage|head of|director|"
    "seniority*|associate|executive",
    "employment": "*full-time*|*full time*|*fulltime*|*vollzeit*|*part-time*|*part time*|"
    "*parttime*|*teilzeit*|jornada*|tiempo*|temps*|tempo*|voltijd*|deeltijd*|contract*|"
    "contrat*|*befrist*|ir35|cdd|cdi|w2|c2c|"
    "fixed-term|fixed term|tijdelijk*|temporary*|temp|seasonal*|mission d*|internship*|intern|"
    "praktikum*|pflichtpraktikum*|stage de*|convenio*|tirocinio*|werkstudent*|permanent*|"
    "*festanstellung*|vast|onbepaalde*|"
    "tillsvidare*|freelanc*|freiberuf*|independent*|apprentic*|ausbildung*|alternance*|"
    "volunteer*|media jornada",
}  # fmt: skip

#: Characters that one field may read closely. Ads need a few thousand; hostile texts have no end.
BUDGET = 12_000

FIELDS = tuple(WORDS)
BIT = {name: 1 << number for number, name in enumerate(FIELDS)}


class Spot(msgspec.Struct, frozen=True, gc=False):
    """A word that stands at `start`..`end` and belongs to the fields in `fields` (bits)."""

    start: int
    end: int
    fields: int


class Window(msgspec.Struct, frozen=True, gc=False):
    """A piece of a text that is worth reading closely, and the fields whose words it holds."""

    start: int
    end: int
    fields: int


class _Spotter:
    def __init__(self) -> None:
        merged: dict[tuple[str, bool, bool], int] = {}
        for field, words in WORDS.items():
            for word in filter(None, words.split("|")):
                key = (word.strip("*"), word.startswith("*"), word.endswith("*"))
                merged[key] = merged.get(key, 0) | BIT[field]
        self.forms: dict[str, list[tuple[bool, bool, int]]] = {}
        for (text, inside, open_end), fields in sorted(merged.items()):
            self.forms.setdefault(text, []).append((inside, open_end, fields))
        self.texts = list(self.forms)
        #: Whether the word may begin inside a longer one, and its fields where it begins a word:
        #: those of a whole word, and those that stand before any ending.
        self.meanings = [
            (
                any(inside for inside, _, _ in forms),
                _union(forms, is_whole=True),
                _union(forms, is_whole=False),
            )
            for forms in self.forms.values()
        ]
        self.automaton = ahocorasick_rs.AhoCorasick(
            self.texts, implementation=ahocorasick_rs.Implementation.ContiguousNFA
        )

    def fields(self, pattern: int, *, begins: bool, ends: bool) -> int:
        """Return the fields of a hit, by the letters around it."""
        found = 0
        for inside, open_end, bits in self.forms[self.texts[pattern]]:
            if (begins or inside) and (ends or open_end):
                found |= bits
        return found


def _union(forms: Sequence[tuple[bool, bool, int]], *, is_whole: bool) -> int:
    found = 0
    for _, open_end, bits in forms:
        if is_whole or open_end:
            found |= bits
    return found


@lru_cache(maxsize=1)
def _spotter() -> _Spotter:
    return _Spotter()


def lower(text: str) -> str:
    """Return the text in lower case with every character in its place."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)


def spot(text: str) -> list[Spot]:
    """Return every word of any field, by start."""
    spotter, low = _spotter(), lower(text)
    meanings = spotter.meanings
    found = []
    # Padded, so that no neighbour is ever out of range.
    padded = f" {low} "
    for pattern, start, end in spotter.automaton.find_matches_as_indexes(low, overlapping=True):
        inner, closed, opened = meanings[pattern]
        if padded[start].isalpha():
            if not inner:
                continue
            fields = spotter.fields(pattern, begins=False, ends=not padded[end + 1].isalnum())
        else:
            fields = opened if opened == closed or padded[end + 1].isalnum() else closed
        if fields:
            found.append(Spot(start, end, fields))
    found.sort(key=_START)
    return found


_START = attrgetter("start")


def windows(text: str, spots: Sequence[Spot], fields: int, before: int, after: int) -> list[Window]:
    """
    Return the pieces of the text around the words of `fields`, merged where they touch.

    A piece reaches `before` and `after` characters beyond its words, on to the next white space.
    All pieces together hold at most BUDGET characters: the first ones.
    """
    out: list[Window] = []
    start = end = bits = 0
    size, left = len(text), BUDGET
    for item in spots:
        wanted = item.fields & fields
        if not wanted:
            continue
        low, high = max(0, item.start - before), min(size, item.end + after)
        if bits and low <= end:
            left -= max(end, high) - end
            end, bits = max(end, high), bits | wanted
        else:
            if bits:
                out.append(_snapped(text, start, end, bits))
            left -= high - low
            start, end, bits = low, high, wanted
        if left <= 0:
            break
    if bits:
        out.append(_snapped(text, start, end, bits))
    return out


def _snapped(text: str, start: int, end: int, bits: int) -> Window:
    floor, ceiling = max(0, start - 24), min(len(text), end + 24)
    while start > floor and not text[start - 1].isspace():
        start -= 1
    while end < ceiling and not text[end].isspace():
        end += 1
    return Window(start, end, bits)
