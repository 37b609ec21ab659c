"""Reads the variables of a TensorFlow checkpoint (the "tensor bundle" format) without TensorFlow.

A bundle is an index, a LevelDB table from variable names to BundleEntryProto, and a file of raw
tensors. Written from tensorflow/core/protobuf/tensor_bundle.proto and LevelDB's doc/table_format.md.
Only what musicnn's checkpoints hold is read: one shard, float32, and blocks that are not compressed.
"""

import struct

import numpy as np

FOOTER_BYTES = 48
TABLE_MAGIC = 0xDB4775248B80FB57
TRAILER_BYTES = 5  # a block's compression (0: none) and its checksum
DT_FLOAT = 1


def read_variables(index: bytes, data: bytes) -> dict[str, np.ndarray]:
    """`index`, `data`: the bytes of `.index` and `.data-00000-of-00001`. Variables that are not float32 are left out."""
    footer = index[-FOOTER_BYTES:]
    if struct.unpack("<Q", footer[-8:])[0] != TABLE_MAGIC:
        raise SystemExit("the checkpoint's index is not a LevelDB table")
    _, at = _handle(footer, 0)
    blocks, _ = _handle(footer, at)
    variables = {}
    for _, block in _entries(_block(index, blocks)):
        for name, entry in _entries(_block(index, _handle(block, 0)[0])):
            fields = dict(_fields(entry))
            if name == b"" or fields.get(1) != DT_FLOAT:
                continue  # the header, and step counters
            shape = [dict(_fields(value)).get(1, 0) for number, value in _fields(fields[2]) if number == 2]
            start = fields.get(4, 0)
            raw = data[start : start + fields[5]]
            variables[name.decode()] = np.frombuffer(raw, "<f4").reshape(shape)
    return variables


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """A block's (offset, size), and where the next thing begins."""
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return (offset, size), at


def _block(table: bytes, handle: tuple[int, int]) -> bytes:
    offset, size = handle
    block = table[offset : offset + size + TRAILER_BYTES]
    if len(block) != size + TRAILER_BYTES or block[size] != 0:
        raise SystemExit("the checkpoint's index has a compressed or cut-off block")
    return block[:size]


def _entries(block: bytes):
    """(key, value) of a block; each key shares a prefix with the one before. Restart points come last."""
    (restarts,) = struct.unpack("<I", block[-4:])
    at, end, key = 0, len(block) - 4 * (restarts + 1), b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + own]
        yield key, block[at + own : at + own + length]
        at += own + length


def _fields(message: bytes):
    """(number, value) of a protobuf message: integers, or bytes for what has a length."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _varint(message, at)
        elif kind == 2:
            length, at = _varint(message, at)
            value, at = message[at : at + length], at + length
        elif kind == 5:
            value, at = message[at : at + 4], at + 4
        else:
            raise SystemExit(f"the checkpoint's index has a field of wire type {kind}")
        yield number, value
