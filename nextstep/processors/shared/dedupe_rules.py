"""
Every number that decides a merge, in one place, with what was measured for it.

Recall, over the pairs whose known towns, countries and stated levels agree, both sides in one
cluster (`python bench/dedupe.py --rows 100000`, the whole corpus of 100,000, at version 5):

    rewrapped_html                                          0.995   of 2,805
    same                                                    0.994   of 8,425
    title_tag                                               0.994   of 2,219
    text_only, mojibake                                     0.993   of 3,624
    boilerplate                                             0.988   of 4,238
    truncated (to 60-90 % of the length)                    0.961   of 1,125
    natural                                                 0.956   of 8,873
    location_line                                           0.911   of 1,334

Of the natural pairs that are missed some 180 have titles of two subjects over one text ("Lung",
"Biomarker") and 100 state a town and a region elsewhere; both are vetoes on purpose. The others are
mostly ads without a town that match copies in several towns and join only one of them. Of 6,787
pairs whose towns, countries or levels differ some 70 are in one cluster, most of them where the
text alone names the town.

Precision and recall on 564 hand-labelled pairs, hard negatives first (`nextstep eval dedupe`):
0.920 and 0.867, of the 107 held-out pairs 0.857 (18 of 21 merges) and 0.857. No pair that differs
in a stated town, level, subject, requisition, contract or employer was merged. What is merged
wrongly differs in the text alone: other duties, another study or ward, more beds in the home, more
pay. Missed are mostly monthly posts whose list of roles was renewed, and ads that were reworded to
less than 0.88 of their text.

The 223 oldest pairs are mostly LinkedIn's and Hacker News's; 307 were added at version 4, drawn
from Britain, the United States and Singapore. 200 of these were read while the rules for places,
titles and cores were made. The held-out 107 were labelled without seeing the outcome, after those
rules; scored with them they gave 0.762 and 0.800. Two rules came after that: names that begin each
other, and a word that only one title has unless the texts are equal. Eight pairs that differ in
nothing but a region, word for word the same and without a town, count as one vacancy since version
4 (decisions.md 20); they had been labelled variants.

At version 5 all 218 distinct merges of unequal texts in those three countries (LinkedIn's left out)
were read: 15 were wrong. Words that were changed throughout a text, regions and clients part seven
of them; of 24 labelled pairs with such words none is a duplicate. Eight are left, and seven more
could be argued either way. 13 of the 15 and every sixth of the others joined the labelled set;
without these 34 pairs it gives 0.941 and 0.848. One label was turned: two titles of one text
("... Overhaul, Tools", "... Overhaul, Inspection") were once called a duplicate and once, blind,
variants.

The thresholds `gate`, `duplicate`, `prefix_*` were chosen on a like sample before; `core` after 25
pairs of one title, town and employer were read: from 0.95 all but one or two are one vacancy,
between 0.90 and 0.95 a third is another.

Source: decisions.md 19 and 20, measured.md section 2.
"""

from __future__ import annotations

import msgspec


class Rules(msgspec.Struct, frozen=True):
    """
    Thresholds and limits of dedupe. A change gives other clusters: bump the stage's version.

    Attributes:
        permutations: length of a signature; the estimate's standard deviation is about 0.04.
        bands: parts of a signature of which two texts must share one to be compared. 32 parts of
            4 values find 87 % of the pairs at Jaccard 0.5, 98.8 % at 0.6 (an ad cut to 60 % of
            its length), 99.98 % at 0.7.
        bucket_limit: in a larger bucket not everybody is compared with everybody,
        bucket_first: but each with so many of its first in dedupe order: work stays linear.
        gate: least share of equal signature values for a look at the texts.
        duplicate: least text similarity of one vacancy.
        same_text: from here one text under two companies is a copy where both texts name one.
        same_words: from here a title that goes on where the other ends says nothing new if both
            texts have the words with which it goes on.
        min_words: shorter texts prove nothing and are never paired by their text.
        body_limit: characters of the folded text that are compared; the longest ads only differ
            in legal text behind it.
        prefix_share: a text that is the beginning of another counts as its copy when it is at
            least this share of it (feeds cut ads; 60 % is the deepest cut seen).
        prefix_chars: and at least so long,
        prefix_match: and as like as this to the other's beginning.
        part: a text of which so much stands in another, whatever was added or moved, is its copy
            where title, company and town are stated alike (an introduction left out).
        core: least likeness of duties and requirements where title, company and town are stated
            alike: what stands around them is often rewritten.
        core_chars: a core must be at least so long.
        title_word: likeness (0..100) from which two title words are one (plural, typing error).
        company: likeness (0..100) from which two company names are one.
    """

    permutations: int = 128
    bands: int = 32
    bucket_limit: int = 64
    bucket_first: int = 16
    gate: float = 0.40
    duplicate: float = 0.88
    same_text: float = 0.97
    same_words: float = 0.995
    min_words: int = 12
    body_limit: int = 12_000
    prefix_share: float = 0.5
    prefix_chars: int = 120
    prefix_match: float = 0.95
    part: float = 0.95
    core: float = 0.95
    core_chars: int = 600
    title_word: float = 84.0
    company: float = 88.0


RULES = Rules()
