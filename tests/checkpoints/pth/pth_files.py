"""Builds .pth files opcode by opcode: valid ones in `torch.save`'s layout, and broken ones."""

import struct
import zipfile

import ml_dtypes
import numpy as np

KINDS = {
    np.dtype(np.float32): "Float",
    np.dtype(np.float64): "Double",
    np.dtype(np.float16): "Half",
    np.dtype(ml_dtypes.bfloat16): "BFloat16",
    np.dtype(np.int64): "Long",
    np.dtype(np.int32): "Int",
    np.dtype(np.int16): "Short",
    np.dtype(np.int8): "Char",
    np.dtype(np.uint8): "Byte",
    np.dtype(np.bool_): "Bool",
}


def text(value):
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def integer(value):
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def integers(values):
    return b"(" + b"".join(map(integer, values)) + b"t"


def named(module, name):
    return f"c{module}\n{name}\n".encode()


def ordered_dict(*items):
    """Alternating keys and values, as opcodes."""
    return named("collections", "OrderedDict") + b")R" + (b"(" + b"".join(items) + b"u" if items else b"")


def mapping(**items):
    """A dict of opcodes."""
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def storage(key, kind, values, *, legacy=False):
    return (
        b"("
        + text("storage")
        + named("torch", f"{kind}Storage")
        + text(key)
        + text("cpu")
        + integer(values)
        + (b"NtQ" if legacy else b"tQ")
    )


def tensor(key, kind, values, shape, *, offset=0, strides=None, legacy=False):
    """Opcodes of a tensor; `strides` are row-major unless given."""
    if strides is None:
        strides = [int(np.prod(shape[i + 1 :])) for i in range(len(shape))]
    view = integer(offset) + integers(shape) + integers(strides)
    arguments = storage(key, kind, values, legacy=legacy) + view + b"\x89" + ordered_dict()
    return named("torch._utils", "_rebuild_tensor_v2") + b"(" + arguments + b"tR"


def program(value):
    return b"\x80\x02" + value + b"."


def write_zip(path, pickle, storages, *, folder="archive", extra=(), byteorder=b"little"):
    """Writes a .pth file from a finished pickle and the bytes of its storages by key."""
    members = [("data.pkl", pickle), ("byteorder", byteorder)]
    members += [(f"data/{key}", raw) for key, raw in storages.items()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, raw in [*members, ("version", b"3\n"), *extra]:
            archive.writestr(f"{folder}/{name}", raw)
    return path


def write_pth(path, arrays, *, model=True, parameters=False, **options):
    """Writes a .pth file of contiguous arrays: {"model": OrderedDict, "total_steps": 3}, or the bare dict."""
    items, storages = [], {}
    for i, (name, array) in enumerate(arrays.items()):
        array = np.asarray(array)
        opcodes = tensor(str(i), KINDS[array.dtype], array.size, array.shape)
        if parameters:
            opcodes = (
                named("torch._utils", "_rebuild_parameter")
                + b"("
                + opcodes
                + b"\x88"
                + ordered_dict()
                + b"tR"
            )
        items += [text(name), opcodes]
        storages[str(i)] = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    weights = ordered_dict(*items)
    weights += b"}" + text("_metadata") + ordered_dict() + b"sb"  # the state dict's attribute
    value = mapping(model=weights, total_steps=integer(3)) if model else weights
    return write_zip(path, program(value), storages, **options)


def write_legacy(path, arrays, *, value=None, storages=()):
    """Writes a bare state dict of contiguous arrays as PyTorch before 1.6 did, or a finished pickle with
    its storages: key, bytes and number of values of each.
    """
    if value is None:
        items = [
            part
            for i, (name, array) in enumerate(arrays.items())
            for part in (
                text(name),
                tensor(str(i), KINDS[array.dtype], array.size, array.shape, legacy=True),
            )
        ]
        value = program(ordered_dict(*items))
        storages = [(str(i), array.tobytes(), array.size) for i, array in enumerate(arrays.values())]
    system = mapping(protocol_version=integer(1001), little_endian=b"\x88", type_sizes=b"}")
    keys = b"](" + b"".join(text(key) for key, _, _ in storages) + b"e"
    pickles = [bytes.fromhex("80028a0a6cfc9c46f9206aa850192e"), b"\x80\x02M\xe9\x03.", program(system), value]
    blocks = [struct.pack("<q", count) + raw for _, raw, count in storages]
    path.write_bytes(b"".join([*pickles, program(keys), *blocks]))
    return path
