"""Files that are not what they say, drawn from a random generator: each kind is a function `(rng) -> (name, bytes)`."""

from __future__ import annotations

import gzip
import io
import random
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from functools import cache

from service_seeds import good_zip, seeds

File = tuple[str, bytes]
Spoil = Callable[[random.Random], File]

HUGE = (0, 1, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1)
EVIL_NAMES = (
    "../../../../etc/cron.d/x", "/etc/passwd", "..\\..\\windows\\x.png", "C:\\x.png", "a/../../b.png", "./.", "..",
    "con.png", "x" * 250 + ".png", "a\x00b.png", "-rf.png", "~/.ssh/authorized_keys", "\u202egnp.exe", "name\n.png",
)  # fmt: skip


def good(rng: random.Random) -> File:
    """A good one: it must be described."""
    name = rng.choice(sorted(seeds()))
    return name, seeds()[name]


def flipped(rng: random.Random) -> File:
    """A few bytes are others."""
    name, data = good(rng)
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        # Most of what decides how a file is read stands at its beginning.
        place = rng.randrange(min(len(data), rng.choice((32, 400, len(data)))))
        changed[place] = rng.choice((0, 255, 127, 128, changed[place] ^ (1 << rng.randrange(8)), rng.randrange(256)))
    return name, bytes(changed)


def numbers(rng: random.Random) -> File:
    """A number somewhere in the header is huge, none, or negative."""
    name, data = good(rng)
    changed = bytearray(data)
    order = rng.choice("<>")
    for _ in range(rng.choice((1, 2, 4))):
        place = rng.randrange(min(len(data) - 4, 400))
        kind, top = rng.choice((("H", 16), ("I", 32)))
        struct.pack_into(order + kind, changed, place, min(rng.choice(HUGE), 2**top - 1))
    return name, bytes(changed)


def truncated(rng: random.Random) -> File:
    """Cut off somewhere, or with something missing in the middle."""
    name, data = good(rng)
    place = rng.randrange(len(data))
    return name, data[:place] if rng.random() < 0.8 else data[:place] + data[place + rng.randrange(1, 500) :]


def spliced(rng: random.Random) -> File:
    """The beginning of one kind and the end of another."""
    (name, first), (_, second) = good(rng), good(rng)
    return name, first[: rng.randrange(8, len(first))] + second[rng.randrange(len(second)) :]


def polyglot(rng: random.Random) -> File:
    """Two kinds at once."""
    name, data = good(rng)
    script = b"<script>alert(1)</script>" + b"GIF89a/*" + b"*/=1;"
    other = rng.choice((good_zip(), b"%PDF-1.7\n%%EOF", script, b"<?php system($_GET[0]);", b"MZ" + bytes(200), data))
    return rng.choice((name, "both.png", "both.dcm", "both.zip")), rng.choice((data + other, other + data))


def wrong_type(rng: random.Random) -> File:
    """Something else by a picture's name."""
    texts = (
        b"", b"\0", b"not an image at all", b"https://example.org/a.png", b"file:///etc/passwd", b"{}" * 50,
        b"\xff\xfe",
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>", b"BM", b"II*\0",
        b"\x1f\x8b",
        b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><svg>&e;</svg>", b"\x7fELF" + bytes(60),
        b"\x89PNG\r\n\x1a\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9999 9999\n(/etc/passwd) run", bytes(128) + b"DICM", b"GIF89a",
    )  # fmt: skip
    data = rng.choice((*texts, rng.randbytes(rng.choice((1, 17, 4_000, 200_000)))))
    return rng.choice(("a.png", "a.dcm", "a.nii.gz", "a.tif", "a", "a.svg", "a.webp", "a.zip")), data


def huge_sides(rng: random.Random) -> File:
    """A header that promises more pixels than there can be."""
    width, height = rng.choice((60_000, 2**16 - 1, 7)), rng.choice((60_000, 2**16 - 1, 2**15))
    made = {
        "huge.png": _png(width * rng.choice((1, 30_000)), height),
        "huge.gif": b"GIF89a" + struct.pack("<HH", width, height) + b"\xf7\0\0" + seeds()["seed.gif"][13:],
        "huge.bmp": seeds()["seed.bmp"][:18] + struct.pack("<ii", width, -height) + seeds()["seed.bmp"][26:],
        "huge.jpg": _huge_jpeg(width, height),
        "huge.dcm": seeds()["seed.dcm"].replace(
            b"\x28\0\x10\0US\2\0" + struct.pack("<H", 96), b"\x28\0\x10\0US\2\0\xff\xff"),
        "huge.tif": _tag(_tag(seeds()["seed.tif"], 256, width), 257, height),
    }  # fmt: skip
    name = rng.choice(sorted(made))
    return name, made[name]


def bomb(rng: random.Random) -> File:
    """Little that unpacks to much: whole, so that only a limit stops it."""
    return rng.choice(_bombs())


def dicom(rng: random.Random) -> File:
    """A DICOM file whose elements have other lengths, kinds or values."""
    name = rng.choice(("seed.dcm", "frames.dcm", "packed.dcm"))
    data = bytearray(seeds()[name])
    for _ in range(rng.choice((1, 1, 3))):
        group = rng.choice((b"\x28\0", b"\x02\0", b"\xe0\x7f", b"\x08\0"))
        place = data.find(group, 132 + rng.randrange(200))
        if place < 0 or place + 12 > len(data):
            continue
        part = rng.randrange(4)
        if part == 0:
            data[place + 4 : place + 6] = rng.choice((b"SQ", b"UN", b"OB", b"OW", b"US", b"??", b"UT"))
        elif part == 1:
            data[place + 6 : place + 8] = struct.pack("<H", rng.choice((0, 1, 0xFFFF, 0xFFFE)))
        elif part == 2:
            data[place + 8 : place + 12] = struct.pack("<I", rng.choice(HUGE))
        else:
            data[place + 2 : place + 4] = rng.randbytes(2)
    if rng.random() < 0.2:
        uid = rng.choice((b"1.2.840.10008.1.2.4.90", b"1.2.840.10008.1.2.1.99", b"1.2.3"))
        data = data.replace(b"1.2.840.10008.1.2.1\0", uid[:19].ljust(20, b"\0"))
    return name, bytes(data)


def tiff(rng: random.Random) -> File:
    """A TIFF with a tag of another kind, count or value, or directories in a circle."""
    name = rng.choice([name for name in seeds() if name.endswith(".tif")])
    data = bytearray(seeds()[name])
    directory = struct.unpack_from("<I", data, 4)[0]
    entries = struct.unpack_from("<H", data, directory)[0]
    for _ in range(rng.choice((1, 2, 3))):
        entry = directory + 2 + 12 * rng.randrange(entries)
        part = rng.randrange(4)
        if part == 0:
            struct.pack_into("<H", data, entry + 2, rng.choice((0, 2, 3, 4, 5, 7, 12, 16, 99)))
        elif part == 1:
            struct.pack_into("<I", data, entry + 4, rng.choice(HUGE))
        elif part == 2:
            struct.pack_into("<I", data, entry + 8, rng.choice((*HUGE, len(data) - 1, directory)))
        else:
            struct.pack_into("<H", data, entry, rng.choice((258, 259, 262, 277, 322, 323, 330, 347, 34665, 50_000)))
    if rng.random() < 0.2:
        struct.pack_into("<I", data, directory + 2 + 12 * entries, rng.choice((directory, 8, 2**32 - 1)))
    return name, bytes(data)


def nifti(rng: random.Random) -> File:
    """A volume with other dimensions, kinds or scales; packed or not."""
    data = bytearray(seeds()["seed.nii"])
    for _ in range(rng.choice((1, 2))):
        part = rng.randrange(5)
        if part == 0:
            struct.pack_into("<h", data, 40 + 2 * rng.randrange(8), rng.choice((-1, 0, 1, 7, 8, 32_767, -32_768)))
        elif part == 1:
            struct.pack_into("<h", data, 70, rng.choice((0, 1, 2, 64, 128, 1792, 2304, -5)))
        elif part == 2:
            struct.pack_into("<f", data, 108, rng.choice((0.0, -1.0, 1e30, float("nan"), float("inf"), 400.5)))
        elif part == 3:
            struct.pack_into("<f", data, rng.choice((112, 116)), rng.choice((float("nan"), float("inf"), 1e38, 0.0)))
        else:
            struct.pack_into("<f", data, 280 + 4 * rng.randrange(12), rng.choice((float("nan"), 0.0, 1e38)))
    if rng.random() < 0.5:
        packed = gzip.compress(bytes(data), 1, mtime=0)
        return "v.nii.gz", packed[: rng.randrange(20, len(packed))] if rng.random() < 0.3 else packed
    return "v.nii", bytes(data)


def spoilt_zip(rng: random.Random) -> File:
    """A zip with evil names, damage, a bomb, a zip in a zip, a password, or too many members."""
    part = rng.randrange(7)
    if part == 0:
        return "a.zip", _zipped({rng.choice(EVIL_NAMES): seeds()["seed.png"]})
    if part == 1:
        data = bytearray(good_zip())
        for _ in range(rng.choice((1, 4, 16))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        return "a.zip", bytes(data)
    if part == 2:
        return "a.zip", good_zip()[: rng.randrange(len(good_zip()))]
    if part == 3:
        return "a.zip", _zipped({"bomb.png": bytes(50 << 20)})
    if part == 4:
        return "a.zip", _zipped({"in.zip": good_zip(), "in/": b""})
    if part == 5:  # the bit of the general flags that says it is encrypted, in both headers
        data = bytearray(good_zip())
        for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            data[data.index(mark) + at] |= 1
        return "a.zip", bytes(data)
    return "a.zip", _zipped({f"{n}.txt": b"" for n in range(3_000)})


def _zipped(members: dict[str, bytes]) -> bytes:
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name, data in members.items():
                packed.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
        return buffer.getvalue()


@cache
def _bombs() -> tuple[File, ...]:
    rows = zlib.compressobj(1)
    pixels = b"".join(rows.compress(bytes(20_001)) for _ in range(20_000)) + rows.flush()
    volume = bytearray(seeds()["seed.nii"][:352])
    small = _gzipped(bytes(volume))
    struct.pack_into("<8h", volume, 40, 3, 2_000, 2_000, 500, 1, 1, 1, 1)
    text = zlib.compress(b"A" * (64 << 20))
    return (
        ("bomb.png", _png(20_000, 20_000, pixels)),
        ("text.png", seeds()["seed.png"][:33] + _chunk(b"zTXt", b"k\0\0" + text) + seeds()["seed.png"][33:]),
        ("profile.png", seeds()["seed.png"][:33] + _chunk(b"iCCP", b"k\0\0" + text) + seeds()["seed.png"][33:]),
        ("bomb.nii.gz", _gzipped(bytes(volume))),
        ("more.nii.gz", small),
    )


def _gzipped(head: bytes) -> bytes:
    """The head of a volume and 640 MiB of nothing."""
    with io.BytesIO() as packed:
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as file:
            file.write(head)
            for _ in range(40):
                file.write(bytes(16 << 20))
        return packed.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, pixels: bytes | None = None) -> bytes:
    """A grey PNG of that size; with no pixels given, one row."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(100)) if pixels is None else pixels
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _huge_jpeg(width: int, height: int) -> bytes:
    data = bytearray(seeds()["seed.jpg"])
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, min(height, 65_535), min(width, 65_535))
    return bytes(data)


def _tag(data: bytes, tag: int, value: int) -> bytes:
    """A TIFF with another value of a tag."""
    changed = bytearray(data)
    directory = struct.unpack_from("<I", data, 4)[0]
    for number in range(struct.unpack_from("<H", data, directory)[0]):
        entry = directory + 2 + 12 * number
        if struct.unpack_from("<H", data, entry)[0] == tag:
            struct.pack_into("<HHII", changed, entry, tag, 4, 1, value)
    return bytes(changed)


SPOILT: dict[str, Spoil] = {
    "flipped": flipped, "numbers": numbers, "truncated": truncated, "spliced": spliced, "polyglot": polyglot,
    "wrong type": wrong_type, "huge sides": huge_sides, "bomb": bomb, "DICOM": dicom, "TIFF": tiff, "NIfTI": nifti,
}  # fmt: skip
