"""
Every number that decides a merge, in one place, with what was measured for it.

Measured on 10,404 rows: real ads drawn so that natural repeats are frequent (25 % of the rows, 15 %
in all the data), and planted copies. Recall over the pairs whose known towns, countries and stated
levels agree, both sides in one cluster:

    same, text_only, title_tag, mojibake, rewrapped_html   1.000   of 2,153
    boilerplate                                             0.995   of 417
    truncated (to 60-90 % of the length)                    0.972   of 317
    natural                                                 0.951   of 2,137

The thresholds were chosen on this very sample; nothing was held out. Of the 104 natural pairs that
are missed, 43 name two regions, 40 have titles of two subjects over one text ("Aerospace Technician
[Overhaul / Mechatronics]" and "[Modification / Oberhaul]"), and 21 match directly but sit in two
clusters, mostly because an ad without a town matches copies in several towns and joins only one.

Precision is not measured. 40 of the 279 duplicate pairs between 0.88 and 0.985 that no truth table
knows, the hardest band, were read once by one reader: 4 name two places that the fields do not
show to differ ("Groningen" beside "North Holland"), about 5 are Hacker News posts whose list of
roles changed between months, the rest are one vacancy. The same few employers come up repeatedly.

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
    min_words: int = 12
    body_limit: int = 12_000
    prefix_share: float = 0.5
    prefix_chars: int = 120
    prefix_match: float = 0.95
    title_word: float = 84.0
    company: float = 88.0


RULES = Rules()
