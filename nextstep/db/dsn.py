"""
PostgreSQL URLs: one canonical form, and what each client needs instead.

asyncpg sends a parameter it does not know as a server setting; psycopg refuses it; `dbmate` cannot
read a socket path before the `/`. So: host in the query, server settings through `options`.

Source: postgres.md 1.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import msgspec

from nextstep.errors import UsageError

#: Parameters of a client that are not server settings.
_COMMON = """
    host port dbname user password passfile sslmode sslcert sslkey sslrootcert sslcrl
    sslpassword ssl_min_protocol_version ssl_max_protocol_version target_session_attrs
    krbsrvname gsslib options application_name service
"""
#: Those that asyncpg does not know and would send to the server.
_LIBPQ_ONLY_TEXT = """
    hostaddr connect_timeout keepalives keepalives_idle keepalives_interval keepalives_count
    tcp_user_timeout channel_binding gssencmode sslnegotiation require_auth load_balance_hosts
    client_encoding
"""
_LIBPQ_ONLY = frozenset(_LIBPQ_ONLY_TEXT.split())
_CLIENT = _LIBPQ_ONLY | frozenset(_COMMON.split())


class Dsn(msgspec.Struct, frozen=True):
    """A URL taken apart. `params` are libpq's; server settings stand in its `options`."""

    user: str
    password: str
    host: str
    port: str
    database: str
    params: dict[str, str]


def parse(url: str) -> Dsn:
    """
    Take a PostgreSQL URL apart; settings such as `search_path=x` move into `options`.

    Raises:
        UsageError: the text is not a PostgreSQL URL.
    """
    scheme = url.split("://", 1)[0]
    if "://" not in url or scheme.split("+")[0] not in ("postgres", "postgresql"):
        raise UsageError(
            "the database URL does not begin with postgresql://",
            hint="write postgresql://user@host:5432/name, or postgresql://user@/name?host=/folder",
        )
    parts = urlsplit(url)
    userinfo, _, place = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    host, port = _host_and_port(place)
    params = dict(parse_qsl(parts.query, keep_blank_values=True))
    settings = {name: params.pop(name) for name in sorted(params) if name not in _CLIENT}
    options = " ".join(
        [params.pop("options", ""), *(f"-c{name}={_escaped(v)}" for name, v in settings.items())]
    ).strip()
    if options:
        params["options"] = options
    return Dsn(
        user=params.pop("user", "") or unquote(user),
        password=params.pop("password", "") or unquote(password),
        host=params.pop("host", "") or unquote(host),
        port=params.pop("port", "") or port,
        database=params.pop("dbname", "") or unquote(parts.path.lstrip("/")),
        params=params,
    )


def canonical(url: str) -> str:
    """Return the URL in the form that psql, psycopg, asyncpg and dbmate all take."""
    return _text(parse(url))


def for_asyncpg(url: str) -> str:
    """Return the URL without the parameters that asyncpg would send to the server."""
    dsn = parse(url)
    kept = {name: value for name, value in dsn.params.items() if name not in _LIBPQ_ONLY}
    return _text(msgspec.structs.replace(dsn, params=kept))


def with_options(url: str, **settings: str) -> str:
    """Return the URL with server settings added, such as `role="nextstep_owner"`."""
    dsn = parse(url)
    added = [f"-c{name}={_escaped(value)}" for name, value in settings.items()]
    options = " ".join([dsn.params.get("options", ""), *added]).strip()
    return _text(msgspec.structs.replace(dsn, params={**dsn.params, "options": options}))


def with_database(url: str, database: str) -> str:
    """Return the URL of another database of the same server."""
    return _text(msgspec.structs.replace(parse(url), database=database))


def socket_url(user: str, folder: Path, port: int, database: str) -> str:
    """Return the canonical URL of a server that listens in a folder."""
    return _text(Dsn(user, "", str(folder), str(port), database, {}))


def masked(url: str) -> str:
    """Return the canonical URL with stars for the password."""
    dsn = parse(url)
    hidden = {name: "***" if "password" in name else v for name, v in dsn.params.items()}
    password = "***" if dsn.password else ""
    return _text(msgspec.structs.replace(dsn, password=password, params=hidden))


def where(url: str) -> str:
    """Return the server and database of a URL for a person to read; never the password."""
    dsn = parse(url)
    user = f" as {dsn.user}" if dsn.user else ""
    port = f":{dsn.port}" if dsn.port else ""
    return f"database {dsn.database or '(default)'} at {dsn.host or 'localhost'}{port}{user}"


def _host_and_port(place: str) -> tuple[str, str]:
    hosts, ports = [], []
    for entry in place.split(","):
        found = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(\d*))?", entry)
        if found is None:
            raise UsageError("the host of the database URL is not understood")
        hosts.append(found[1].strip("[]"))
        ports.append(found[2] or "")
    return ",".join(hosts), ",".join(ports).strip(",")


def _text(dsn: Dsn) -> str:
    # The host goes into the query always: the one place where a folder, a name, an IPv6 address
    # and a list of hosts are read alike.
    login = quote(dsn.user, safe="") + (f":{quote(dsn.password, safe='*')}" if dsn.password else "")
    named = {"host": dsn.host, "port": dsn.port, **dsn.params}
    query = "&".join(f"{name}={quote(value, safe='/,*')}" for name, value in named.items() if value)
    return (
        f"postgresql://{login}{'@' if login else ''}/{quote(dsn.database, safe='')}"
        f"{'?' if query else ''}{query}"
    )


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
