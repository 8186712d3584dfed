"""
Read YAML that is mappings, lists and scalars, at several times the speed of `yaml.load`.

Every worker reads the taxonomies when it starts. PyYAML builds a node for each scalar and asks
a resolver written in Python what each one is; of forty thousand words all but a few are texts, so
this reader takes them from the C parser's events at once. Whatever else YAML has (anchors, tags,
merge keys) goes to `yaml.load`: the result is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

# The C parser is some ten times as fast; a wheel of PyYAML without it exists.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_RESOLVERS: dict[str, list[tuple[str, Any]]] = yaml.SafeLoader.yaml_implicit_resolvers


class _Unusual(Exception):
    """The text has something that only the whole of PyYAML reads."""


def load_yaml(text: str) -> Any:
    """
    Return the one document in `text` as dicts, lists and scalars; None when it holds none.

    Raises:
        yaml.YAMLError: the text is no YAML, or a key stands twice in one mapping.
    """
    if not issubclass(LOADER, yaml.SafeLoader):
        loader = LOADER(text)
        try:
            return _document(loader.get_event)
        except _Unusual:
            pass
        finally:
            loader.dispose()
    return yaml.load(text, Loader=LOADER)


def _document(next_event: Callable[[], Any]) -> Any:
    next_event()  # the stream's start
    if type(next_event()) is not yaml.DocumentStartEvent:
        return None
    value = _value(next_event(), next_event)
    next_event()  # the document's end
    if type(next_event()) is not yaml.StreamEndEvent:
        raise _Unusual  # a second document: yaml.load has the words for it
    return value


def _value(event: Any, next_event: Callable[[], Any]) -> Any:
    kind = type(event)
    if kind is yaml.AliasEvent or event.anchor is not None or event.tag is not None:
        raise _Unusual
    if kind is yaml.ScalarEvent:
        return _scalar(event)
    if kind is yaml.SequenceStartEvent:
        items = []
        while type(event := next_event()) is not yaml.SequenceEndEvent:
            items.append(_value(event, next_event))
        return items
    return _mapping(next_event)


def _mapping(next_event: Callable[[], Any]) -> dict[Any, Any]:
    pairs: dict[Any, Any] = {}
    while type(event := next_event()) is not yaml.MappingEndEvent:
        if type(event) is not yaml.ScalarEvent:
            raise _Unusual
        key = _value(event, next_event)
        if key in pairs:
            raise _twice(key, event.start_mark)
        pairs[key] = _value(next_event(), next_event)
    return pairs


def _twice(key: object, mark: Any) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, f"key '{key}' stands twice", mark)


def _scalar(event: Any) -> Any:
    value: str = event.value
    if not event.implicit[0]:  # in quotes: a text
        return value
    for tag, pattern in _RESOLVERS.get(value[:1], ()):
        if pattern.match(value):
            if tag == "tag:yaml.org,2002:merge":
                raise _Unusual
            return yaml.load(value, Loader=LOADER)
    return value
