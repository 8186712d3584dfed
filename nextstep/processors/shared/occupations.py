"""
The groups of two public classifications of occupations, and what their labels mean here.

ISCO-08 (sub-major groups, ILO) and SOC 2018 (major groups, BLS), shortened to names of clusters.
"""

from __future__ import annotations

import re

ISCO_GROUPS = {
    "0": "armed forces", "11": "management", "12": "administrative and commercial management",
    "13": "production and services management", "14": "hospitality and retail management",
    "21": "science and engineering", "22": "health", "23": "teaching",
    "24": "business and administration", "25": "information and communications technology",
    "26": "legal, social and cultural", "31": "science and engineering technicians",
    "32": "health associates", "33": "business associates",
    "34": "legal, social and cultural associates", "35": "technology technicians",
    "41": "general clerks", "42": "customer services clerks", "43": "numerical clerks",
    "44": "other clerical support", "51": "personal services", "52": "sales", "53": "personal care",
    "54": "protective services", "61": "skilled agriculture", "62": "forestry and fishery",
    "63": "subsistence farming", "71": "building trades", "72": "metal and machinery trades",
    "73": "handicraft and printing", "74": "electrical and electronic trades",
    "75": "food, wood and garment trades", "81": "plant and machine operation",
    "82": "assembly", "83": "driving and mobile plant", "91": "cleaning and helping",
    "92": "agricultural labour", "93": "mining, construction and transport labour",
    "94": "food preparation assistance", "95": "street services", "96": "elementary work",
}  # fmt: skip

SOC_GROUPS = {
    "11": "management", "13": "business and finance", "15": "computer and mathematical",
    "17": "architecture and engineering", "19": "science", "21": "community and social service",
    "23": "legal", "25": "education", "27": "arts, design and media", "29": "healthcare",
    "31": "healthcare support", "33": "protective service", "35": "food service",
    "37": "building and grounds", "39": "personal care", "41": "sales",
    "43": "office and administration", "45": "farming, fishing and forestry",
    "47": "construction and extraction", "49": "installation and repair", "51": "production",
    "53": "transportation", "55": "military",
}  # fmt: skip

_TECHNOLOGY = (
    ("database", re.compile(r"data ?base", re.IGNORECASE)),
    ("framework", re.compile(r"web platform|component|portal server", re.IGNORECASE)),
    ("platform", re.compile(r"operating system|server|network|cloud|backup", re.IGNORECASE)),
)

#: Endings of nouns of people, and those that only look so.
_PEOPLE = re.compile(r"\b(\w+(?:er|or|ist|ian|ant|ent|eer|ive|yst|ic|ect|ard|urse|ain|ide|ess))s\b")
_MEN = re.compile(r"men\b")
_IES = re.compile(r"\b(\w{3,})ies\b")


def technology_kind(commodity: str) -> str:
    """Return the kind of tool that a commodity title of O*NET stands for."""
    return next((kind for kind, pattern in _TECHNOLOGY if pattern.search(commodity)), "application")


def singular(title: str) -> str:
    """Return a title as one person bears it: "Data Scientists" is "Data Scientist"."""
    return _IES.sub(r"\1y", _MEN.sub("man", _PEOPLE.sub(r"\1", title)))
