"""Colours of pictures that are made here, with each filter that a PNG may have."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.browser.picture import colours


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(lines: list[list[bytes]], filters: list[int], depth: int = 8) -> bytes:
    """A picture of RGB pixels; each line is written with its filter."""
    width = len(lines[0])
    above = bytes(3 * width)
    data = bytearray()
    for kind, pixels in zip(filters, lines, strict=True):
        line = b"".join(pixels)
        data.append(kind)
        for at, value in enumerate(line):
            left, up = (line[at - 3] if at >= 3 else 0), above[at]
            corner = above[at - 3] if at >= 3 else 0
            estimate = left + up - corner
            distances = [(abs(estimate - left), left), (abs(estimate - up), up), (abs(estimate - corner), corner)]
            paeth = min(distances, key=lambda pair: pair[0])[1]
            data.append((value - [0, left, up, (left + up) // 2, paeth][kind]) % 256)
        above = line
    head = struct.pack(">IIBBBBB", width, len(lines), depth, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(data))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


PIXEL = st.sampled_from([b"\xff\xff\xff", b"\x00\x80\x01", b"\x10\x00\xf0"])


@given(st.integers(1, 6), st.data())
def test_colours_are_counted_whatever_the_filters(width: int, data: st.DataObject) -> None:
    lines = data.draw(st.lists(st.lists(PIXEL, min_size=width, max_size=width), min_size=1, max_size=6))
    filters = data.draw(st.lists(st.integers(0, 4), min_size=len(lines), max_size=len(lines)))
    expected = len({pixel for line in lines for pixel in line})
    assert colours(png(lines, filters), at_most=10) == expected
    assert colours(png(lines, filters), at_most=2) == min(2, expected)


def test_what_is_no_picture_of_8_bits_is_an_error() -> None:
    with pytest.raises(ValueError, match="this is no PNG"):
        colours(b"<html>", at_most=2)
    with pytest.raises(ValueError, match="a PNG of 16 bits, colour type 2 and interlace 0 is not looked into"):
        colours(png([[b"abc"]], [0], depth=16), at_most=2)
