"""
Every number that decides a merge, in one place, with what was measured for it.

Recall, over the pairs whose known towns, countries and stated levels agree, both sides in one
cluster (`python bench/dedupe.py`, 9,217 rows: every seventh group of known repeats of the corpus of
100,000, whole):

    title_tag, mojibake                                     1.000   of 459
    same                                                    0.997   of 1,246
    rewrapped_html, text_only                               0.995   of 815
    boilerplate                                             0.992   of 608
    truncated (to 60-90 % of the length)                    0.983   of 174
    natural                                                 0.970   of 1,177
    location_line                                           0.957   of 187

Taken at version 2. Since version 3 two states without a town speak against equal texts too, numbers
such as "Jr63669" leave the title for the reference, and "Assistant Manager" states a level while
"Staff Nurse" states none; the corpus was not measured again.

Of the 36 natural pairs that were missed, 22 had titles that say different things over one text
("Statistician", "Data Scientist - Part Time"; read one by one), which is a veto on purpose; most
others are ads without a town that match copies in several towns and join only one of them. Of 1,006
pairs whose towns, countries or levels differ 3 are in one cluster.

Precision and recall on 223 hand-labelled pairs, hard negatives first (`nextstep eval dedupe`), at
version 2 as well: 0.885 and 0.780, of the held-out third 0.750 and 0.706. No pair that differs in
town, level, subject, requisition, contract or employer was merged. Of the six wrong merges four
differed in a state or province ("Rhode Island, United States" and "Missouri, United States" over
one text; a variant since), two are other duties under one title. Missed are mostly monthly posts
whose list of roles was renewed, and ads that were reworded to less than 0.88 of their text.
Re-wordings of 0.80 to 0.88 under one title, employer and town were read too: of 26 about half are
another vacancy, so that they stay apart, unless one text stands inside the other (`part`).

The thresholds `gate`, `duplicate`, `prefix_*` were chosen on a like sample before; `part`,
`title_shared` and the fields that veto were set after the "seen" two thirds had been read. The
whole set was scored while they were, so that the held-out third is a weaker witness than it should
be.

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
        same_text: from here a word that only one title has ("Data Scientist, Internship") is taken
            for a longer name of the same vacancy; below it makes a variant.
        min_words: shorter texts prove nothing and are never paired by their text.
        body_limit: characters of the folded text that are compared; the longest ads only differ
            in legal text behind it.
        prefix_share: a text that is the beginning of another counts as its copy when it is at
            least this share of it (feeds cut ads; 60 % is the deepest cut seen).
        prefix_chars: and at least so long,
        prefix_match: and as like as this to the other's beginning.
        part: a text of which so much stands in another, whatever was added or moved, is its copy
            where title, company and town are stated alike (an introduction left out).
        title_word: likeness (0..100) from which two title words are one (plural, typing error).
        title_shared: over equal texts two titles are one subject when so large a share of their
            words is common ("Aerospace Technician, Overhaul, Repair" and "…, Overhaul, Modules").
        company: likeness (0..100) from which two company names are one.
    """

    permutations: int = 128
    bands: int = 32
    bucket_limit: int = 64
    bucket_first: int = 16
    gate: float = 0.40
    duplicate: float = 0.88
    same_text: float = 0.97
    min_words: int = 12
    body_limit: int = 12_000
    prefix_share: float = 0.5
    prefix_chars: int = 120
    prefix_match: float = 0.95
    part: float = 0.95
    title_word: float = 84.0
    title_shared: float = 0.75
    company: float = 88.0


RULES = Rules()
