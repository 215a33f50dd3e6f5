"""How many colours a PNG has: as much of the format as Chromium writes, so that a blank page is told from a page."""

import struct
import zlib
from collections.abc import Iterator
from typing import Final

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_CHANNELS: Final = {0: 1, 2: 3, 4: 2, 6: 4}
_FOOT: Final = 4
"""Bytes of the checksum after each chunk."""


def colours(png: bytes, *, at_most: int) -> int:
    """How many different pixels there are; counting ends at `at_most`. ValueError for what is no PNG of 8 bits."""
    found: set[bytes] = set()
    width, lines = _lines(png)
    for line in lines:
        pixel = len(line) // width
        found |= {line[at : at + pixel] for at in range(0, len(line), pixel)}
        if len(found) >= at_most:
            return at_most
    return len(found)


def _lines(png: bytes) -> tuple[int, Iterator[bytes]]:
    """Width in pixels, and each line of the picture."""
    if not png.startswith(_SIGNATURE):
        raise ValueError("this is no PNG")
    chunks = list(_chunks(png))
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", dict(chunks)[b"IHDR"])
    if depth != 8 or kind not in _CHANNELS or interlaced:
        raise ValueError(f"a PNG of {depth} bits, colour type {kind} and interlace {interlaced} is not looked into")
    data = zlib.decompress(b"".join(body for name, body in chunks if name == b"IDAT"))
    return width, _unfiltered(data, height, width * _CHANNELS[kind], _CHANNELS[kind])


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(png):
        length, name = struct.unpack(">I4s", png[at : at + 8])
        yield name, png[at + 8 : at + 8 + length]
        at += 8 + length + _FOOT


def _unfiltered(data: bytes, height: int, length: int, pixel: int) -> Iterator[bytes]:
    """Each line as it was before its filter (https://www.w3.org/TR/png/#9Filters)."""
    above = bytes(length)
    for number in range(height):
        start = number * (length + 1)
        line = bytearray(data[start + 1 : start + 1 + length])
        kind = data[start]
        for at in range(length) if kind else ():
            left, up = (line[at - pixel] if at >= pixel else 0), above[at]
            corner = above[at - pixel] if at >= pixel else 0
            line[at] = (line[at] + (0, left, up, (left + up) // 2, _nearest(left, up, corner))[kind]) & 0xFF
        above = bytes(line)
        yield above


def _nearest(left: int, up: int, corner: int) -> int:
    """Paeth's predictor: the neighbour that is nearest to left + up - corner."""
    guess = left + up - corner
    return min((left, up, corner), key=lambda value: abs(guess - value))
