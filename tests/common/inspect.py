"""What Python's zipfile and the raw headers say of an archive, as JSON: python inspect.py ARCHIVE"""

import hashlib
import json
import struct
import sys
import zipfile

LOCAL_HEADER = struct.Struct("<4sHHHHHLLLHH")


def local_header(file, info):
    """The header in front of an entry, which must repeat what the central directory says."""
    file.seek(info.header_offset)
    fields = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
    signature, version, flags, method, time, date, crc, packed, size, name, extra = fields
    hour, minute, second = info.date_time[3:]
    year, month, day = info.date_time[:3]
    assert signature == b"PK\x03\x04"
    assert (version, flags, method) == (info.extract_version, info.flag_bits, info.compress_type)
    assert time == hour << 11 | minute << 5 | second // 2
    assert date == year - 1980 << 9 | month << 5 | day
    assert (crc, packed, size) == (info.CRC, info.compress_size, info.file_size)
    assert file.read(name).decode("utf-8") == info.filename
    return extra


with zipfile.ZipFile(sys.argv[1]) as archive, open(sys.argv[1], "rb") as file:
    assert archive.testzip() is None
    assert archive.comment == b""
    entries = [
        {
            "path": info.filename,
            "size": info.file_size,
            "sha256": hashlib.sha256(archive.read(info)).hexdigest(),
            "mode": f"{info.external_attr >> 16:o}",
            "date": "{:04}-{:02}-{:02} {:02}:{:02}:{:02}".format(*info.date_time),
            "system": info.create_system,
            "method": info.compress_type,
            "versions": [info.create_version, info.extract_version],
            "extra": len(info.extra) + local_header(file, info) + len(info.comment),
            "flags": info.flag_bits,
            "attributes": info.external_attr & 0xFFFF,
            "is_directory": info.is_dir(),
        }
        for info in archive.infolist()
    ]
json.dump(entries, sys.stdout)
