"""Write PNG files. Unlike Pillow, this lets other threads run while it compresses."""

import struct
import zlib
from collections.abc import Iterable

_TRUECOLOUR = 8, 2, 0, 0, 0  # bits per sample, colour type, compression, filter, interlace


def png(width: int, height: int, bands: Iterable[bytes]) -> bytes:
    """A PNG file of RGB pixels, which come as whole rows, from the top."""
    packer, packed = zlib.compressobj(), b""
    row = 3 * width
    for band in bands:
        # Every row starts with the number of its filter: 0, for none.
        packed += packer.compress(b"".join(b"\0" + band[at : at + row] for at in range(0, len(band), row)))
    packed += packer.flush()
    header = struct.pack(">2I5B", width, height, *_TRUECOLOUR)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
