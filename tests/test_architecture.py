"""What docs/architecture.md says of imports and kernels holds for every file of the package."""

from __future__ import annotations

import ast
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from quasinewton.kernels import WITHOUT_KERNELS

PACKAGE = Path(__file__).parent.parent / "quasinewton"

#: The rooms of the package from top to bottom: a file imports from its own room and those below it.
ROOMS = (
    "__init__", "__main__", "cli", "torch", "interop", "many", "minimize", "sums", "solver",
    "display", "constraints", "objective", "methods", "globalization", "subproblems", "models",
    "vectors", "kernels", "records", "saving", "box", "options", "workers", "status", "extras",
    "problems",
)  # fmt: skip

#: Above all: the public names, most of which it imports when they are first used.
TOP = "quasinewton"

KERNELS = (
    "kernel", "inline_kernel", "pointer_kernel", "vector_kernel", "view_kernel", "vector_function",
)  # fmt: skip
MOST_PARAMETERS = 10


def sources() -> dict[str, ast.Module]:
    """The syntax trees of the package by the name of the module."""
    trees = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        trees[name] = ast.parse(path.read_text(), str(path))
    return trees


def is_folder(module: str, modules: set[str]) -> bool:
    return any(name.startswith(f"{module}.") for name in modules)


def imports(module: str, tree: ast.Module, modules: set[str]) -> Iterator[str]:
    """The modules of the package that one of them imports, in functions and for types too."""
    parts = module.split(".")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = node.level - is_folder(module, modules)
                base = ".".join([*parts[: len(parts) - up], *([base] if base else [])])
            # `from . import a` imports the file a where there is one, else a name of the folder
            longer = [f"{base}.{alias.name}" for alias in node.names]
            names = [name if name in modules else base for name in longer]
            assert not node.level or modules.issuperset(names), f"{module}, line {node.lineno}"
        else:
            continue
        for name in names:
            if name in modules:
                yield name


def graph_of(trees: dict[str, ast.Module]) -> dict[str, set[str]]:
    """What every module imports."""
    return {name: set(imports(name, tree, set(trees))) for name, tree in trees.items()}


def room(module: str) -> str:
    return "__init__" if module == TOP else module.split(".")[1]


def upward(graph: dict[str, set[str]]) -> list[str]:
    """The imports that lead from a room to one above it."""
    return [
        f"{module} imports {imported}"
        for module, found in graph.items()
        if module != TOP
        for imported in sorted(found)
        if ROOMS.index(room(imported)) < ROOMS.index(room(module))
    ]


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of a cycle of imports, or none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


TREES = sources()
GRAPH = graph_of(TREES)


def test_every_file_is_in_a_room():
    assert {room(module) for module in TREES} == set(ROOMS)


def test_the_page_has_the_rooms_in_this_order():
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text()
    tree = page.partition("quasinewton/\n")[2].partition("tests/")[0]
    assert tuple(re.findall(r"^  (\w+)", tree, re.MULTILINE)) == ROOMS


def test_imports_run_one_way():
    assert upward(GRAPH) == []


def test_no_cycle_of_files():
    assert cycle(GRAPH) == []


def test_problems_import_nothing_else_of_the_package():
    inside = {name: found for name, found in GRAPH.items() if room(name) == "problems"}
    assert set().union(*inside.values()) <= set(inside)


def test_the_tests_above_can_fail():
    texts = {
        "quasinewton": "from .solver import Solver",
        "quasinewton.solver": "from .loop import Solver",
        "quasinewton.solver.loop": "def f():\n    from ..models.a import b\n    import numpy",
        "quasinewton.models": "",
        "quasinewton.models.a": "if TYPE_CHECKING:\n    from ..solver.loop import Solver\n"
        "from . import c, d",
        "quasinewton.models.c": "import quasinewton.models.a",
        "quasinewton.kernels": "from . import __version__",
    }
    graph = graph_of({name: ast.parse(text) for name, text in texts.items()})
    assert graph == {
        "quasinewton": {"quasinewton.solver"},
        "quasinewton.solver": {"quasinewton.solver.loop"},
        "quasinewton.solver.loop": {"quasinewton.models.a"},
        "quasinewton.models": set(),
        "quasinewton.models.a": {
            "quasinewton.solver.loop", "quasinewton.models", "quasinewton.models.c",
        },
        "quasinewton.models.c": {"quasinewton.models.a"},
        "quasinewton.kernels": {"quasinewton"},
    }  # fmt: skip
    assert upward(graph) == [
        "quasinewton.models.a imports quasinewton.solver.loop",
        "quasinewton.kernels imports quasinewton",
    ]
    assert cycle(graph)
    assert not cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()})


def kernels(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """The functions with the decorator of a kernel."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            called = (d.func if isinstance(d, ast.Call) else d for d in node.decorator_list)
            if any(isinstance(d, ast.Name) and d.id in KERNELS for d in called):
                yield node


def parameters(function: ast.FunctionDef) -> int:
    arguments = function.args
    return len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)


def named_indices(tree: ast.Module) -> list[str]:
    """Where an index is a constant in capitals, which stands for a name of what is there."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript):
            index = node.slice
            for part in index.elts if isinstance(index, ast.Tuple) else [index]:
                name = getattr(part, "id", getattr(part, "attr", ""))
                if re.fullmatch("_?[A-Z][A-Z0-9_]+", name):
                    found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


KERNEL_FILES = [name for name, tree in TREES.items() if any(kernels(tree))]


def test_machine_code_is_made_anew_where_a_kernel_may_have_changed():
    rooms = {Path(name).stem for name in WITHOUT_KERNELS}
    assert rooms <= set(ROOMS)
    assert [name for name in KERNEL_FILES if room(name) in rooms] == []


@pytest.mark.parametrize("module", KERNEL_FILES)
def test_kernels_have_few_parameters(module):
    assert [f.name for f in kernels(TREES[module]) if parameters(f) > MOST_PARAMETERS] == []


@pytest.mark.parametrize("module", KERNEL_FILES)
def test_no_number_stands_for_a_name(module):
    assert named_indices(TREES[module]) == []


def test_the_tests_of_kernels_can_fail():
    assert {"quasinewton.globalization", "quasinewton.models.pairs"} <= set(KERNEL_FILES)
    tree = ast.parse(
        "@vector_function(0, inline=True)\n"
        "def f(a, b, c, d, e, f, g, h, i, j, k):\n    return a[GAMMA] + b[1, _RANK] + c[d, 0]\n"
        "@kernel\ndef g(a):\n    return a[0].gamma\n"
        "@other\ndef h(a):\n    pass\n"
    )
    assert [f.name for f in kernels(tree)] == ["f", "g"]
    assert [parameters(f) for f in kernels(tree)] == [11, 1]
    assert named_indices(tree) == ["line 3: a[GAMMA]", "line 3: b[1, _RANK]"]
