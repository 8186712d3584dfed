"""One spelling per address, so that tracking and typing make no new job. Source: J-21, J-151."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import parse_qsl, quote, urlsplit

#: Query parameters that say which post is meant, in lower case. All others are dropped: tracking
#: (utm_*, refId, trackingId, gclid), list positions (position, pos, pageNum) and sessions.
IDENTIFYING = frozenset(
    {
        "adid", "advertid", "advert_id", "annonce", "career_job_req_id", "currentjobid", "entry",
        "gh_jid", "id", "idoffre", "jid", "jk", "jl", "job", "job_id", "job_ref", "jobad",
        "jobadid", "jobcode", "jobid", "jobkey", "joblistingid", "jobnumber", "jobno", "joboffer",
        "jobofferid", "jobopeningid", "jobpostid", "jobref", "jobreqid", "jvi", "listingid",
        "offer_id", "offerid", "offre", "opportunityid", "position_id", "positionid", "posting",
        "posting_id", "postingid", "postid", "post_id", "req", "req_id", "reqid", "requisition",
        "requisition_id", "requisitionid", "stelle", "stellenid", "vacancy", "vacancy_id",
        "vacancyid", "vacancyno", "vacature", "vjk",
    }
)  # fmt: skip

#: Parameters that tell posts apart only where no identifying one stands beside them: Glassdoor's
#: `ao` is the order an ad was bought under, WordPress counts everything as `p`.
WEAK = frozenset({"ao", "p", "pid", "page_id", "rid", "oid", "itemid", "item"})

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PATH_SAFE = "/%:@!$&'()*+,;=~-._"


# The same address is asked for by identity and by the content hash of one row.
@lru_cache(maxsize=4096)
def normalize_url(url: str) -> str:
    """
    Return the address in its one spelling, or the stripped input where it is no http address.

    Scheme and host in lower case, no user, no default port, no tracking, parameters in order, no
    trailing slash; escapes in one form. The case of the path and of values stays: many sites' ids
    differ by it. A fragment goes, unless it is a route (`#/job/12`, `#!job`).
    """
    url = "".join(url.split())
    if url.startswith("//"):
        url = f"https:{url}"
    elif url[:4].lower() == "www.":
        url = f"https://{url}"
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        port = parts.port
    except ValueError:
        return url
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not host:
        return url
    authority = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[scheme]:
        authority = f"{authority}:{port}"
    path = re.sub(r"/{2,}", "/", _escapes(parts.path)).rstrip("/")
    query = _identifying_query(parts.query)
    route = parts.fragment if parts.fragment.startswith(("/", "!")) else ""
    return (
        f"{scheme}://{authority}{path}"
        + (f"?{query}" if query else "")
        + (f"#{_escapes(route).rstrip('/')}" if route.strip("/!") else "")
    )


def names_a_post(normalized: str) -> bool:
    """Return whether a normalized address can tell one post from the next: not a bare host."""
    try:
        parts = urlsplit(normalized)
    except ValueError:
        return False
    if parts.scheme not in _DEFAULT_PORTS or not parts.netloc:
        return False
    return bool(parts.path.strip("/") or parts.query or parts.fragment)


def _identifying_query(query: str) -> str:
    if not query:
        return ""
    pairs = [(name.lower(), value) for name, value in parse_qsl(query.replace("&amp;", "&"))]
    kept = [pair for pair in pairs if pair[0] in IDENTIFYING and pair[1]]
    kept = kept or [pair for pair in pairs if pair[0] in WEAK and pair[1]]
    return "&".join(f"{name}={quote(value, safe='-._~')}" for name, value in sorted(set(kept)))


def _escapes(text: str) -> str:
    """`%7E` is `~`, `%c3` is `%C3`, `é` is `%C3%A9`: three spellings of the same bytes."""

    def one(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return character if character in _UNRESERVED else match[0].upper()

    return quote(_ESCAPE.sub(one, text), safe=_PATH_SAFE)
