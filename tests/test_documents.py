"""Documents: links resolve, and the commands, flags, settings, modules and files that they name exist."""

import functools
import importlib
import itertools
import pathlib
import re
from collections.abc import Iterator

import pytest
from absl import flags
from absl.testing import flagsaver

from lipfd_jax import cli
from lipfd_jax.experiments import lipfd

ROOT = pathlib.Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "benchmarks" / "README.md",
    ROOT / "datasets_tfds" / "avlips" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
_PACKAGES = "lipfd_jax|datasets_tfds|benchmarks"
_FENCE = re.compile(r"^ *```\w*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_OTHER_COMMAND = r"\b(?:pytest|pip|tfds build)\b.*"
_COMMAND = r"\blipfd ([a-z]\w*)(.*)"


def find_broken_links(text: str, folder: pathlib.Path) -> list[str]:
    """Returns the relative links of a document in `folder` whose file or heading doesn't exist."""
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    return [link for link in links if "://" not in link and not _resolves(link, text, folder)]


def _resolves(link: str, text: str, folder: pathlib.Path) -> bool:
    name, _, heading = link.partition("#")
    target = folder / name
    if not target.exists():
        return False
    return not heading or heading in _headings(target.read_text() if name else text)


def _headings(text: str) -> set[str]:
    """The anchors that GitHub makes of headings."""
    titles = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def find_unknown_commands(text: str) -> list[str]:
    """Returns the commands named as `lipfd COMMAND` in code that don't exist."""
    blocks, spans = _code(text)
    named = re.findall(r"\blipfd ([a-z]\w*)", "\n".join(blocks + spans))
    return [name for name in named if name not in cli.COMMANDS]


def find_unknown_flags(text: str) -> list[str]:
    """Returns 'COMMAND FLAG' for each flag after `lipfd COMMAND` in code that the command doesn't define.

    Flags named alone, as in tables, must be those of a command, or of a benchmark that the document names.
    Old spellings are unknown.
    """
    blocks, spans = _code(text)
    unknown = [name for code in blocks + spans for name in _unknown_of_commands(code)]
    alone = [flag for span in spans for flag in _flags_in(re.sub(f"{_COMMAND}|{_OTHER_COMMAND}", "", span))]
    known = _flags_of_commands() | _flags_of_benchmarks(text) | {"help"}
    return unknown + [flag for flag in alone if not _is_known(flag, known)]


def _unknown_of_commands(code: str) -> Iterator[str]:
    for line in re.split(r"[\n;|]|&&", code.replace("\\\n", " ")):
        for command, arguments in re.findall(_COMMAND, line):
            if command in cli.COMMANDS:
                known = _flags_of(command)
                unknown = (flag for flag in _flags_in(arguments) if not _is_known(flag, known))
                yield from (f"{command} {flag}" for flag in unknown)


def _code(text: str) -> tuple[list[str], list[str]]:
    """Blocks of code, fenced or indented, and code within lines."""
    rest = _FENCE.sub("", text)
    indented = re.findall(r"(?:^ {4,}\S.*\n)+", rest, re.MULTILINE)
    return _FENCE.findall(text) + indented, re.findall(r"`([^`]+)`", rest)


def _flags_in(code: str) -> list[str]:
    without_comments = re.sub(r"\s#.*", "", code)
    return re.findall(r"(?<![\w-])--(\[?[a-z][\w.\]-]*)", without_comments)


def _is_known(flag: str, known: frozenset[str]) -> bool:
    name, _, setting = flag.replace("[no]", "").partition(".")
    return name in known and (not setting or _is_setting(setting))


def _is_setting(path: str) -> bool:
    """Whether the experiments have a setting; an upper-case name in a path stands for any."""
    settings = lipfd.get_config()
    for name in path.split("."):
        if name.isupper():
            return True
        if name not in settings:
            return False
        settings = settings[name]
    return True


@functools.cache
def _flags_of(command: str) -> frozenset[str]:
    """The flags that a command defines, without old spellings."""
    module = cli.import_command(command)
    with flagsaver.flagsaver():  # removes them again
        module.define_flags()
        own = flags.FLAGS.get_flags_for_module(module)
        return frozenset(flag.name for flag in own if not flag.help.startswith("Old spelling"))


@functools.cache
def _flags_of_commands() -> frozenset[str]:
    return frozenset(itertools.chain.from_iterable(map(_flags_of, cli.COMMANDS)))


def _flags_of_benchmarks(text: str) -> frozenset[str]:
    """The flags of the benchmarks that a text names."""
    files = [ROOT / "benchmarks" / f"{name}.py" for name in re.findall(r"\bbenchmarks\.(\w+)", text)]
    sources = "".join(file.read_text() for file in files if file.is_file())
    return frozenset(re.findall(r'(?:DEFINE_\w+\(\s*"|add_argument\("--)([a-z]\w*)"', sources))


def find_unknown_targets(text: str) -> list[str]:
    """Returns the targets named as `make TARGET` in code that the Makefile doesn't define."""
    blocks, spans = _code(text)
    named = re.findall(r"^ *make ([a-z][\w-]*)", "\n".join(blocks + spans), re.MULTILINE)
    targets = re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return [name for name in named if name not in targets]


def find_missing_modules(text: str) -> list[str]:
    """Returns the dotted names and paths of code that name no module, top-level name or file.

    A path may be the end of one: faces/scan.py.
    """
    dotted = re.findall(rf"(?<![\w/-])(?:{_PACKAGES})(?:\.\w+)+", text)
    files = re.findall(r"(?:\w+/)*\w+\.py\b", text)
    folders = re.findall(rf"(?<![\w./-])(?:{_PACKAGES})(?:/\w+)+(?![\w./])", text)
    missing = [name for name in dotted if not _is_name(name)]
    missing += [file for file in files if not any(known.endswith(f"/{file}") for known in _python_files())]
    return missing + [path for path in folders if not (ROOT / path).exists()]


def find_failing_imports(text: str) -> list[str]:
    """Returns 'MODULE.NAME' for each name that a block of code imports from this project and can't."""
    lines = re.findall(
        rf"^ *from ((?:{_PACKAGES})[\w.]*) import ([\w, ]+|\([^)]+\))",
        "\n".join(_code(text)[0]),
        re.MULTILINE,
    )
    named = [(module, name) for module, names in lines for name in re.findall(r"(\w+)(?: as \w+)?", names)]
    return [f"{module}.{name}" for module, name in named if not _can_import(module, name)]


def _can_import(module: str, name: str) -> bool:
    for path in (module, f"{module}.{name}"):  # a name may be a module of its own
        try:
            found = importlib.import_module(path)
        except ImportError:
            continue
        if path != module or hasattr(found, name):
            return True
    return False


@functools.cache
def _python_files() -> tuple[str, ...]:
    folders = ("lipfd_jax", "datasets_tfds", "tests", "benchmarks", "configs", "docs")
    files = [*ROOT.glob("*.py"), *(file for folder in folders for file in (ROOT / folder).rglob("*.py"))]
    return tuple(f"/{file.relative_to(ROOT).as_posix()}" for file in files)


def _is_name(dotted: str) -> bool:
    """Whether a dotted name is a module, or a name in the text of one."""
    path, parts = ROOT, dotted.split(".")
    while parts and (path / parts[0]).is_dir():
        path = path / parts.pop(0)
    file = path / "__init__.py"
    if parts and (path / f"{parts[0]}.py").is_file():
        file = path / f"{parts.pop(0)}.py"
    if not parts:
        return True
    return file.is_file() and re.search(rf"\b{parts[0]}\b", file.read_text()) is not None


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_all_that_a_document_names_exists(document):
    text = document.read_text()
    assert find_broken_links(text, document.parent) == []
    assert find_unknown_commands(text) == []
    assert find_unknown_flags(text) == []
    assert find_unknown_targets(text) == []
    assert find_missing_modules(text) == []
    assert find_failing_imports(text) == []


def test_broken_links_are_found(tmp_path):
    (tmp_path / "other.md").write_text("# One heading: of `two`\n")
    text = (
        "[a](other.md) [b](gone.md) [c](other.md#one-heading-of-two) [d](other.md#gone) [e](#gone)\n"
        "# Here\n```\n# comment\n```\n[f](#here) [g](#comment) [h](https://example.org)\n"
    )
    assert find_broken_links(text, tmp_path) == ["gone.md", "other.md#gone", "#gone", "#comment"]


@pytest.mark.parametrize("code", ["```bash\nlipfd biuld\n```\n", "    lipfd biuld\n", "Run `lipfd biuld`."])
def test_unknown_commands_are_found(code):
    assert find_unknown_commands(code) == ["biuld"]
    assert find_unknown_commands(code.replace("biuld", "build")) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("lipfd build --workers=2 --no-such", "build no-such"),
        ("lipfd build --[no]held_out --scores=x", "build scores"),
        ("lipfd train --from=a \\\n    --output=b", "train output"),
        ("lipfd metrics --scores=a && lipfd build --scores=a", "build scores"),
        ("lipfd train --config.data.path=x --config.data.no_path=x", "train config.data.no_path"),
        ("lipfd preprocess --convention=paper --windows=paper", "preprocess windows"),
    ],
)
def test_unknown_flags_are_found(right, wrong):
    assert find_unknown_flags(f"```bash\n{right}\n```\n") == [wrong]


def test_unknown_flags_are_found_in_lines():
    text = "`--salt`, `--[no]held_out`, `--lower`, `lipfd build --here`"
    assert find_unknown_flags(text) == ["build here", "lower"]
    assert find_unknown_flags("`python -m benchmarks.gpu --lower --up`, `--upper`") == ["up", "upper"]


def test_unknown_targets_are_found():
    text = "```bash\nmake test\nmake gone  # now\n```\nand `make demo`, `make no`"
    assert find_unknown_targets(text) == ["gone", "no"]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("lipfd_jax.models.inputs", "lipfd_jax.models.gone"),
        ("lipfd_jax.models.inputs.prepare_inputs", "lipfd_jax.models.inputs.gone"),
        ("lipfd_jax.Detector.open", "lipfd_jax.Gone.open"),
        ("python -m benchmarks.gpu", "benchmarks.gone"),
        ("lipfd_jax/models/vit.py", "lipfd_jax/models/gone.py"),
        ("`faces/scan.py`", "faces/gone.py"),
        ("lipfd_jax/faces", "lipfd_jax/gone"),
    ],
)
def test_missing_modules_are_found(right, wrong):
    assert find_missing_modules(f"{right} {wrong}") == [wrong]


def test_failing_imports_are_found():
    right = (
        "from lipfd_jax.preprocessing import audio, mel\nfrom lipfd_jax.preprocessing.mel import BANDS as b\n"
    )
    wrong = (
        "from lipfd_jax.gone import a\n    from lipfd_jax.preprocessing.mel import BANDS, gone\n"
        "from lipfd_jax.preprocessing.mel import (\n    BANDS,\n    gone_too,\n)\n"
    )
    names = ["lipfd_jax.gone.a", "lipfd_jax.preprocessing.mel.gone", "lipfd_jax.preprocessing.mel.gone_too"]
    assert find_failing_imports(f"```python\n{right}{wrong}```\n") == names
