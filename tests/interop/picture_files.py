"""Picture files of every kind that Octavo reads, made by Pillow and, where Pillow does not write them, byte by byte.

`make(kind, rng)` gives the bytes of one file; KINDS are the names.
"""
import io
import struct
import zlib

import numpy as np
from PIL import Image

ORIENTATION = 0x0112


def pixels(rng, height, width, channels):
    """Smooth light, a hard edge and noise: what decoders and filters tell apart."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    planes = []
    for c in range(channels):
        plane = 128 + 110 * np.sin(x / (3 + 5 * rng.random()) + c) * np.cos(y / (3 + 5 * rng.random()))
        plane += 120 * (x + y > rng.random() * (height + width)) - 60
        planes.append(plane + rng.normal(0, 12, plane.shape))
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def alpha(rng, height, width):
    """A third clear, a third opaque, the rest anything between."""
    return np.clip(rng.integers(-256, 512, (height, width, 1)), 0, 255).astype(np.uint8)


def size(rng):
    return int(rng.integers(1, 75)), int(rng.integers(1, 75))


def image(rng, mode):
    height, width = size(rng)
    if mode in ("RGBA", "LA"):
        data = np.concatenate([pixels(rng, height, width, len(mode) - 1), alpha(rng, height, width)], -1)
        return Image.fromarray(data, mode)
    if mode == "P":
        return Image.fromarray(pixels(rng, height, width, 3)).quantize(int(rng.integers(2, 257)))
    if mode == "1":
        return Image.fromarray(pixels(rng, height, width, 1)[..., 0]).convert("1")
    if mode == "CMYK":
        return Image.fromarray(pixels(rng, height, width, 4), "CMYK")
    if mode == "L":
        return Image.fromarray(pixels(rng, height, width, 1)[..., 0])
    return Image.fromarray(pixels(rng, height, width, 3))


def save(picture, format_, **options):
    out = io.BytesIO()
    picture.save(out, format_, **options)
    return out.getvalue()


def exif(rng, value=None):
    """An EXIF block in either byte order, with tags before and after the orientation."""
    order = "<" if rng.random() < 0.5 else ">"
    value = int(rng.integers(1, 9)) if value is None else value
    entries = [(0x0100, 4, 1, struct.pack(order + "I", 7)), (ORIENTATION, 3, 1, struct.pack(order + "HH", value, 0)),
               (0x0128, 3, 1, struct.pack(order + "HH", 2, 0))]
    body = struct.pack(order + "H", len(entries))
    for tag, kind, count, data in entries:
        body += struct.pack(order + "HHI", tag, kind, count) + data
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(order + "I", 8) + body + b"\0\0\0\0"


def xmp(rng):
    value = int(rng.integers(1, 9))
    inner = f'tiff:Orientation="{value}"' if rng.random() < 0.5 else f"><tiff:Orientation>{value}</tiff:Orientation"
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description {inner}></x:xmpmeta>'.encode()


# --- JPEG ---

def segment(marker, data):
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def jpeg_options(rng):
    return dict(quality=int(rng.integers(1, 101)), progressive=bool(rng.random() < 0.3), optimize=bool(rng.random() < 0.3),
                restart_marker_blocks=int(rng.choice([0, 0, 1, 5])))


def jpeg(rng, mode="RGB"):
    return save(image(rng, mode), "JPEG", subsampling=int(rng.integers(0, 3)), **jpeg_options(rng))


def jpeg_keep_rgb(rng):
    return save(image(rng, "RGB"), "JPEG", keep_rgb=True, **jpeg_options(rng))


def jpeg_turned(rng):
    data = save(image(rng, "RGB"), "JPEG", subsampling=int(rng.integers(0, 3)), **jpeg_options(rng))
    extra = b""
    if rng.random() < 0.8:
        extra += segment(0xE1, b"Exif\0\0" + exif(rng))
    if not extra or rng.random() < 0.3:
        extra += segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp(rng))
    return data[:2] + extra + data[2:]


def frame_header(data):
    at = 2
    while data[at + 1] not in (0xC0, 0xC1, 0xC2):
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return at


def jpeg_ycck(rng):
    """Pillow writes CMYK; with the Adobe marker's transform set to 2 the same data are YCCK."""
    data = bytearray(save(image(rng, "CMYK"), "JPEG", **jpeg_options(rng)))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


def jpeg_sampling(rng):
    """4:4:0, 4:1:1 and 1x4: the blocks of 4:2:2 and 4:2:0 files, put on another grid by the frame header."""
    old, new, wider = [(0x21, 0x12, 0.5), (0x22, 0x41, 2), (0x22, 0x14, 0.5)][rng.integers(3)]
    height, width = 32 * int(rng.integers(1, 3)), 32 * int(rng.integers(1, 3))
    picture = Image.fromarray(pixels(rng, height, width, 3))
    data = bytearray(save(picture, "JPEG", subsampling=1 if old == 0x21 else 2, quality=int(rng.integers(30, 98))))
    at = frame_header(data)
    assert data[at + 11] == old
    data[at + 11] = new
    struct.pack_into(">HH", data, at + 5, int(height / wider), int(width * wider))
    return bytes(data)


# --- PNG ---

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def insert(png, *chunks, last=False):
    """Chunks right after the header, or right before the end."""
    at = len(png) - 12 if last else 33
    return png[:at] + b"".join(chunks) + png[at:]


def raw_png(rows, depth, colour, *chunks, interlaced=False):
    """`rows`: [height, width, channels] unsigned integers."""
    height, width = rows.shape[:2]

    def packed(line):
        if depth == 16:
            return line.astype(">u2").tobytes()
        bits = np.unpackbits(line.astype(np.uint8).reshape(-1, 1), axis=1)[:, 8 - depth:].ravel()
        return np.packbits(bits).tobytes()

    def scan(part):
        return b"".join(b"\0" + packed(line.ravel()) for line in part) if part.size else b""

    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    raw = b"".join(scan(rows[a::c, b::d]) for a, b, c, d in passes) if interlaced else scan(rows)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IDAT", zlib.compress(raw)) +
            chunk(b"IEND", b""))


def png_wide(rng):
    """16 bits per sample. Grey reaches just beyond 255, where Pillow clips."""
    height, width = size(rng)
    colour = int(rng.choice([0, 2, 4, 6]))
    rows = rng.integers(0, 600 if colour == 0 else 65536, (height, width, {0: 1, 2: 3, 4: 2, 6: 4}[colour]))
    return raw_png(rows, 16, colour, interlaced=bool(rng.random() < 0.4))


def png_narrow(rng):
    height, width = size(rng)
    depth = int(rng.choice([1, 2, 4]))
    return raw_png(rng.integers(0, 1 << depth, (height, width, 1)), depth, 0, interlaced=bool(rng.random() < 0.5))


def png_interlaced(rng):
    colour = int(rng.choice([0, 2, 4, 6]))
    height, width = size(rng)
    rows = pixels(rng, height, width, {0: 1, 2: 3, 4: 2, 6: 4}[colour])
    return raw_png(rows, 8, colour, interlaced=True)


def png_palette(rng):
    """1 to 8 bits, with and without tRNS, some indices beyond the palette."""
    height, width = size(rng)
    depth = int(rng.choice([1, 2, 4, 8]))
    colours = int(rng.integers(1, (1 << depth) + 1))
    chunks = [chunk(b"PLTE", rng.integers(0, 256, 3 * colours, dtype=np.uint8).tobytes())]
    if rng.random() < 0.7:
        chunks.append(chunk(b"tRNS", rng.integers(0, 256, int(rng.integers(1, colours + 1)), dtype=np.uint8).tobytes()))
    most = 1 << depth if rng.random() < 0.2 else colours
    return raw_png(rng.integers(0, most, (height, width, 1)), depth, 3, *chunks, interlaced=bool(rng.random() < 0.3))


def png_transparent(rng):
    """tRNS that names one colour, 8 bits (docs/image.md: at other depths Pillow compares what it has converted)."""
    grey = rng.random() < 0.5
    height, width = size(rng)
    rows = pixels(rng, height, width, 1 if grey else 3)
    chosen = rows[rng.integers(height), rng.integers(width)]
    return raw_png(rows, 8, 0 if grey else 2, chunk(b"tRNS", struct.pack(f">{len(chosen)}H", *map(int, chosen))))


def png_turned(rng):
    data = save(image(rng, str(rng.choice(["RGB", "RGBA", "L", "P"]))), "PNG")
    last = bool(rng.random() < 0.5)
    way = rng.integers(4)
    if way == 0:
        return insert(data, chunk(b"eXIf", exif(rng)), last=last)
    if way == 1:
        block = b"Exif\0\0" + exif(rng)
        text = f"\nexif\n{len(block):8}\n".encode() + b"\n".join(block.hex().encode()[i:i + 72] for i in range(0, 2 * len(block), 72))
        return insert(data, chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text)), last=last)
    packed = int(way == 3)
    text = xmp(rng)
    return insert(data, chunk(b"iTXt", b"XML:com.adobe.xmp\0" + bytes([packed, 0]) + b"\0\0" +
                              (zlib.compress(text) if packed else text)), last=last)


# --- WebP ---

def webp(rng, mode="RGB", **more):
    return save(image(rng, mode), "WEBP", lossless=bool(rng.random() < 0.5), quality=int(rng.integers(0, 101)),
                exact=bool(rng.random() < 0.5), **more)


def webp_turned(rng):
    if rng.random() < 0.7:
        return webp(rng, "RGBA", exif=exif(rng))
    return webp(rng, "RGB", xmp=xmp(rng))


def webp_animated(rng):
    height, width = size(rng)
    frames = []
    for _ in range(int(rng.integers(2, 5))):
        frame = np.zeros((height, width, 4), np.uint8)  # mostly clear, so that the encoder cuts the frame
        y, x = int(rng.integers(0, height)), int(rng.integers(0, width))
        frame[y:, x:] = np.concatenate([pixels(rng, height - y, width - x, 3), alpha(rng, height - y, width - x)], -1)
        frames.append(Image.fromarray(frame, "RGBA"))
    return save(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=bool(rng.random() < 0.5))


# --- GIF ---

def gif(rng):
    picture = image(rng, str(rng.choice(["P", "L", "1", "RGB"])))
    return save(picture, "GIF", interlace=int(rng.integers(2)))


def gif_transparent(rng):
    picture = image(rng, "P")
    return save(picture, "GIF", transparency=int(rng.integers(0, 4)), interlace=int(rng.integers(2)))


def gif_part(rng):
    """A frame that is smaller than the canvas, or leaves it; with and without transparency."""
    data = bytearray(gif(rng) if rng.random() < 0.5 else gif_transparent(rng))
    at = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    while data[at] == 0x21:
        at += 2
        while data[at]:
            at += data[at] + 1
        at += 1
    assert data[at] == 0x2C
    width, height = struct.unpack_from("<HH", data, at + 5)
    left, top = int(rng.integers(0, 20)), int(rng.integers(0, 20))
    struct.pack_into("<HH", data, at + 1, left, top)
    struct.pack_into("<HH", data, 6, max(1, left + width + int(rng.integers(-9, 20))), max(1, top + height + int(rng.integers(-9, 20))))
    return bytes(data)


def gif_animated(rng):
    height, width = size(rng)
    frames = [Image.fromarray(pixels(rng, height, width, 3)).quantize(64) for _ in range(3)]
    return save(frames[0], "GIF", save_all=True, append_images=frames[1:])


# --- BMP ---

def bmp(rng):
    return save(image(rng, str(rng.choice(["1", "L", "P", "RGB", "RGBA"]))), "BMP")


def raw_bmp(rng):
    """16 and 32 bits with and without bit fields and alpha, short palettes, rows from the top, all sizes of header."""
    height, width = size(rng)
    layouts = [(16, 0, None, 40), (16, 3, (0xF800, 0x7E0, 0x1F), 40), (16, 3, (0x7C00, 0x3E0, 0x1F), 40),
               (32, 0, None, 40), (32, 3, (0xFF0000, 0xFF00, 0xFF), 40), (32, 3, (0xFF000000, 0xFF0000, 0xFF00, 0), 56),
               (32, 3, (0xFF, 0xFF00, 0xFF0000, 0xFF000000), 108), (32, 3, (0xFF0000, 0xFF00, 0xFF, 0xFF000000), 124),
               (24, 0, None, 12), (4, 0, None, 40), (8, 0, None, 12), (8, 0, None, 40)]
    bits, compression, masks, header_size = layouts[rng.integers(len(layouts))]
    down = header_size != 12 and rng.random() < 0.4
    stride = (width * bits + 31) // 32 * 4
    colours = int(rng.integers(3, 1 << bits)) if bits <= 8 else 0  # 2 is read as black and white by Pillow
    if header_size == 12:
        colours = 1 << bits if bits <= 8 else 0
        header = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        header = struct.pack("<IiiHHIIiiII", 40, width, -height if down else height, 1, bits, compression, 0, 0, 0, colours, 0)
        header = struct.pack("<I", header_size) + header[4:]
    tail = b"".join(struct.pack("<I", mask) for mask in masks or ())
    header += tail if header_size == 40 else tail.ljust(max(0, header_size - 40), b"\0")
    palette = rng.integers(0, 256, (3 if header_size == 12 else 4) * colours, dtype=np.uint8).tobytes()
    offset = 14 + len(header) + len(palette)
    if bits <= 8:
        rows = rng.integers(0, colours, (height, stride * 8 // bits), dtype=np.uint8)
        body = b"".join(np.packbits(np.unpackbits(row.reshape(-1, 1), axis=1)[:, 8 - bits:].ravel()).tobytes() for row in rows)
    else:
        body = rng.integers(0, 256, height * stride, dtype=np.uint8).tobytes()
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + header + palette + body


# --- PNM ---

def pnm(rng):
    height, width = size(rng)
    kind = int(rng.integers(1, 7))
    bits, colour, plain = kind % 3 == 1, kind % 3 == 0, kind <= 3
    maxval = 1 if bits else int(rng.choice([255, 1, 7, 100, 254, 256, 1000, 65535]))
    data = rng.integers(0, maxval + 1, (height, width, 3 if colour else 1))
    comment = b"# a comment\n" if rng.random() < 0.3 else b""
    header = b"P%d\n%s%d %d\n" % (kind, comment, width, height) + (b"" if bits else b"%d\n" % maxval)
    if plain:
        gap = b"" if bits and rng.random() < 0.5 else b" "
        return header + b"\n".join(gap.join(b"%d" % v for v in row.ravel()) for row in data) + b"\n"
    if bits:
        return header + b"".join(np.packbits(row.ravel().astype(np.uint8)).tobytes() for row in data)
    return header + data.astype(">u2" if maxval > 255 else "u1").tobytes()


KINDS = {
    "JPEG colour": jpeg, "JPEG grey": lambda rng: jpeg(rng, "L"), "JPEG RGB inside": jpeg_keep_rgb,
    "JPEG turned": jpeg_turned, "JPEG CMYK": lambda rng: jpeg(rng, "CMYK"), "JPEG YCCK": jpeg_ycck,
    "JPEG 4:4:0 4:1:1 1x4": jpeg_sampling,
    "PNG RGB": lambda rng: save(image(rng, "RGB"), "PNG"), "PNG L": lambda rng: save(image(rng, "L"), "PNG"),
    "PNG 1": lambda rng: save(image(rng, "1"), "PNG"), "PNG RGBA": lambda rng: save(image(rng, "RGBA"), "PNG"),
    "PNG LA": lambda rng: save(image(rng, "LA"), "PNG"), "PNG P": lambda rng: save(image(rng, "P"), "PNG"),
    "PNG P raw": png_palette, "PNG tRNS": png_transparent, "PNG 16 bits": png_wide, "PNG 1 2 4 bits": png_narrow,
    "PNG interlaced": png_interlaced, "PNG turned": png_turned,
    "WebP RGB": webp, "WebP RGBA": lambda rng: webp(rng, "RGBA"), "WebP turned": webp_turned, "WebP animated": webp_animated,
    "GIF": gif, "GIF transparent": gif_transparent, "GIF part": gif_part, "GIF animated": gif_animated,
    "BMP": bmp, "BMP raw": raw_bmp, "PNM": pnm,
}


def make(kind, rng):
    return KINDS[kind](rng)
