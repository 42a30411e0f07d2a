"""Files written by PyTorch are read as PyTorch reads them (skipped if it is not installed)."""

import collections
import io
import pickle
import pickletools
import struct
import tarfile
import warnings
import zipfile

import ml_dtypes
import numpy as np
import pytest

from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.pth.reader import open_pth
from tests.checkpoints.pth.pth_files import write_pth

torch = pytest.importorskip(
    "torch", reason="PyTorch is not installed; files made by hand stand in for its own"
)
pytestmark = pytest.mark.slow


def expected(tensor):
    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        return tensor.float().numpy().astype(ml_dtypes.bfloat16)
    return tensor.numpy()


def check(path, tensors):
    found = open_pth(path)
    assert list(found) == list(tensors)
    for key, tensor in tensors.items():
        np.testing.assert_array_equal(np.asarray(found[key]), expected(tensor), strict=True, err_msg=key)


def views():
    base = torch.arange(120.0).reshape(2, 3, 4, 5)
    return {
        "plain": base.clone(),
        "transposed": base.clone().permute(3, 1, 0, 2),
        "channels_last": base.clone().contiguous(memory_format=torch.channels_last),
        "slice": base[:, 1:, ::2, 1:4],
        "tied": base[:, 1:, ::2, 1:4],
        "row": base[1, 2, 3],
        "element": base[1, 2, 3, 4],
        "scalar": torch.tensor(3),
        "empty": torch.empty(0, 4),
        "parameter": torch.nn.Parameter(torch.randn(3, 2)),
    }


TYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_views_types_ties_and_parameters(tmp_path, protocol):
    tensors = views() | {name: torch.arange(6).reshape(2, 3).to(getattr(torch, name)) for name in TYPES}
    path = tmp_path / "a.pth"
    torch.save(tensors, path, pickle_protocol=protocol)
    check(path, tensors)


def test_a_training_checkpoint(tmp_path):
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    model(torch.zeros(2, 3, 6, 6)[:, :, :4, :6]).sum().backward()
    optimizer.step()
    entries = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "total_steps": 1234}
    torch.save(entries, tmp_path / "a.pth")
    check(tmp_path / "a.pth", model.state_dict())
    wrapped = {f"module.{key}": value for key, value in model.state_dict().items()}
    torch.save(wrapped, tmp_path / "b.pth")
    check(tmp_path / "b.pth", model.state_dict())


def test_checksums_may_be_left_out(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"a": torch.arange(4.0)}, tmp_path / "a.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    check(tmp_path / "a.pth", {"a": torch.arange(4.0)})


def test_other_kinds_of_files_are_refused(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"a": torch.zeros(2)}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match=r"PyTorch before 1\.6"):
        open_pth(path)
    torch.save(torch.nn.Linear(2, 2), path)
    with pytest.raises(CheckpointError, match=r"'torch\.nn\.modules\.linear' 'Linear'"):
        open_pth(path)
    torch.save({"a": torch.zeros(1).expand(1000)}, path)
    with pytest.raises(CheckpointError, match=r"its storage has only 1 value"):
        open_pth(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(torch.nn.Linear(2, 2)).save(path)
    with pytest.raises(CheckpointError, match="TorchScript"):
        open_pth(path)


def remedied(path, tmp_path):
    """Applies the remedy that the refusal of a file names."""
    with pytest.raises(CheckpointError) as error:
        open_pth(path)
    command = str(error.value)[str(error.value).index("torch.save(") :]
    exec(command, {"torch": torch, "PATH": path, "NEW_PATH": tmp_path / "new.pth"})
    return tmp_path / "new.pth"


def test_the_format_before_1_6_is_read(tmp_path):
    tensors = views()
    torch.save(tensors, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    check(tmp_path / "old.pth", tensors)


def test_the_remedy_for_torchscript_works(tmp_path):
    class Clip(torch.nn.Module):  # as OpenAI's archives are laid out
        def __init__(self):
            super().__init__()
            self.visual = torch.nn.Linear(2, 2)
            self.register_buffer("input_resolution", torch.tensor(224))

        def forward(self, x):
            return self.visual(x)

    model = Clip()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(model, torch.zeros(1, 2)).save(tmp_path / "clip.pt")
        check(remedied(tmp_path / "clip.pt", tmp_path), model.state_dict())


def test_the_remedy_for_tar_files_works(tmp_path):
    """Current PyTorch still reads them but does not write them, so this one is built by hand."""
    values = np.arange(6, dtype=np.float32)
    head = struct.pack("<i4xqqqqq", 2, 2, 3, 3, 1, 0)  # dimensions, shape, strides, offset
    members = {
        "storages": pickles(1, (7, "cpu", torch.FloatStorage))
        + struct.pack("<q", values.size)
        + values.tobytes()
        + pickles([]),
        "tensors": pickles(1, (8, 7, torch.FloatTensor)) + head,
        "pickle": pickles(collections.OrderedDict(a=Persistent(8))),
    }
    with tarfile.open(tmp_path / "old.pth", "w", format=tarfile.GNU_FORMAT) as archive:
        for name, raw in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(raw)
            archive.addfile(info, io.BytesIO(raw))
    check(remedied(tmp_path / "old.pth", tmp_path), {"a": torch.from_numpy(values.reshape(2, 3))})


class Persistent:
    """An object that a pickle only names."""

    def __init__(self, name):
        self.name = name


def pickles(*values):
    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return str(value.name) if isinstance(value, Persistent) else None

    out = io.BytesIO()
    for value in values:
        Pickler(out, protocol=2).dump(value)
    return out.getvalue()


def test_pytorch_reads_the_files_made_by_hand(tmp_path):
    """So that the files of the other tests are known to have the right layout."""
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones((), np.float16)}
    for parameters in (True, False):
        path = write_pth(tmp_path / "hand.pth", arrays, parameters=parameters)
        loaded = torch.load(path, weights_only=True)
        assert loaded["total_steps"] == 3
        for key, array in arrays.items():
            assert isinstance(loaded["model"][key], torch.nn.Parameter) == parameters
            np.testing.assert_array_equal(loaded["model"][key].detach().numpy(), array, strict=True)
    torch.save(loaded, tmp_path / "torch.pth")
    with zipfile.ZipFile(path) as hand, zipfile.ZipFile(tmp_path / "torch.pth") as own:
        names = [{name.split("/", 1)[1] for name in archive.namelist()} for archive in (hand, own)]
        codes = [opcodes(archive) for archive in (hand, own)]
    assert names[0] <= names[1]
    assert codes[0] - codes[1] <= {"BININT"}  # PyTorch's pickler writes small integers shorter


def opcodes(archive):
    (name,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
    return {opcode.name for opcode, _, _ in pickletools.genops(archive.read(name))}
