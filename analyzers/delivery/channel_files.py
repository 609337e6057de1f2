"""Files of channels: YAML with a list of mappings under `channels:`, one channel each. Every error names file, line and field."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import yaml

from ledger.channels import Channel, ChannelError, read_channel

FILE_BYTES_MAX = 1_000_000


def read_channels(path: Path) -> list[Channel]:
    """All channels of a file. Raises ChannelError on the first fault."""
    items = list(_items(path))
    channels = [read_channel(item, f"{path}, line {line}") for line, item in items]
    seen: dict[tuple[str | None, str], int] = {}
    for (line, _), channel in zip(items, channels, strict=True):
        first = seen.setdefault((channel.tenant, channel.name), line)
        if first != line:
            raise ChannelError(f"{path}, line {line}: channel {channel.name} stands in line {first} too", "state it once")
    if not channels:
        raise ChannelError(f"{path} holds no channels", "docs/alerts.md shows some")
    return channels


def _items(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line and content of each item."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ChannelError(f"{path} is larger than {FILE_BYTES_MAX} bytes", "import it in parts")
        text = path.read_text(encoding="utf-8-sig")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        found = yaml.safe_load(text)
    except OSError as error:
        raise ChannelError(f"{path} cannot be read ({error.strerror})", "check the name and its permissions") from error
    except UnicodeDecodeError as error:
        raise ChannelError(f"{path} is not UTF-8 at byte {error.start}", "save it as UTF-8") from error
    except (yaml.YAMLError, RecursionError) as error:
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        place = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise ChannelError(f"{place}: is no YAML", "check its indentation") from error
    if not isinstance(found, dict) or list(cast(dict[object, object], found)) != ["channels"]:
        raise ChannelError(f"{path} is no list of channels", "begin with `channels:` and each channel with a dash")
    values = cast(dict[str, Any], found)["channels"]
    node = root.value[0][1] if isinstance(root, yaml.MappingNode) else None
    if not isinstance(values, list) or not isinstance(node, yaml.SequenceNode):
        raise ChannelError(f"{path} is no list of channels", "begin with `channels:` and each channel with a dash")
    for item, value in zip(node.value, cast(list[object], values), strict=True):
        line = item.start_mark.line + 1
        if not isinstance(value, dict):
            raise ChannelError(f"{path}, line {line}: is no channel", "write name, kind and where it is")
        yield line, cast(dict[str, Any], value)
