"""What the README, the examples and the docstrings say is true."""

from __future__ import annotations

import configparser
import doctest
import importlib
import importlib.util
import pkgutil
import re
import runpy
from dataclasses import MISSING, fields
from pathlib import Path
from types import ModuleType

import pytest
from scipy.optimize import minimize, rosen, rosen_der

import quasinewton
import quasinewton.interop
import quasinewton.objective.derivatives
import quasinewton.objective.hessian
from quasinewton.globalization import RuleParameters
from quasinewton.methods import CONSTRAINED, METHODS, QUASI_NEWTON
from quasinewton.options import Options
from quasinewton.status import MESSAGES, Status

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def each_page(test):
    return pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))(test)


@each_page
def test_code_blocks_run(page, capsys):
    namespace = {"__name__": "page"}  # a page is read from the top
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        if re.search(r"^import torch", block, re.MULTILINE):
            pytest.importorskip("torch")
            pytest.importorskip("array_api_compat")
        exec(compile(block, str(page), "exec"), namespace)


@each_page
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), link


@each_page
def test_every_page_is_in_the_contents(page):
    if page.name == "index.md" or page.parent == ROOT:
        return
    contents = re.findall(r"^[\w/]+$", (ROOT / "docs" / "index.md").read_text(), re.MULTILINE)
    assert str(page.relative_to(ROOT / "docs").with_suffix("")) in contents


def test_api_pages_have_every_public_name():
    text = "".join(page.read_text() for page in (ROOT / "docs" / "api").rglob("*.md"))
    modules = [
        quasinewton.objective.derivatives, quasinewton.objective.hessian, quasinewton.interop,
        quasinewton.plot, quasinewton.problems,
    ]  # fmt: skip
    for name in {*quasinewton.__all__, *(n for m in modules for n in m.__all__)}:
        module = isinstance(getattr(quasinewton, name, None), ModuleType)
        assert name == "__version__" or module or re.search(rf"[ .]{name}\b", text), name


def test_api_page_lists_every_status():
    text = (ROOT / "docs" / "api" / "minimize.md").read_text()
    for status in Status:
        assert f"| `{status.name}` | {status.value} | {MESSAGES[status]} |" in text


def test_page_on_status_says_what_to_do_about_each():
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs/howto/status.md").read_text(), re.MULTILINE)
    named = re.findall(r"`(\w+)`", " ".join(rows))
    assert sorted(named) == sorted(status.name for status in Status)


def test_pages_of_methods_say_which_options_are_theirs():
    """Each names all that the docstring of the options says of some methods only."""
    entries = re.split(r"\n    (?=\w[\w, ]* : )", Options.__doc__)[1:]
    some = [e.split(" :")[0] for e in entries if re.search("uasi-Newton|cubic|trust_cg", e)]
    assert len(some) >= 6
    pages = list((ROOT / "docs" / "api" / "methods").glob("*.md"))
    for page in pages:
        text = page.read_text()
        assert [name for name in some if f"`{name}" not in text] == [], page
    documented = re.findall(r"autofunction:: (\w+)", "".join(p.read_text() for p in pages))
    assert sorted(documented) == sorted((*METHODS, *CONSTRAINED))


def test_api_page_lists_every_entry_of_a_result():
    result = quasinewton.minimize(
        rosen, [-1.2, 1.0], jac=rosen_der, options={"history": "spectrum", "return_all": True}
    )
    constrained = quasinewton.minimize(
        rosen, [-1.2, 1.0], jac=rosen_der, bounds=[(-2, 2)] * 2, options={"history": True},
        constraints={"type": "ineq", "fun": lambda x: 1.0 - x @ x},
    )  # fmt: skip
    text = (ROOT / "docs" / "api" / "minimize.md").read_text()
    keys = [*result, *result.history, *constrained, *constrained.history]
    assert [key for key in keys if f"`{key}`" not in text] == []


def test_readme_lists_every_method():
    text = (ROOT / "README.md").read_text()
    assert [m for m in (*METHODS, *CONSTRAINED) if f"`{m}`" not in text] == []
    count = len(quasinewton.problems.names())
    assert f"`quasinewton.problems`: {count} classical" in text
    count = len(quasinewton.problems.names(bounded=True))
    assert f"{count} problems with bounds" in " ".join(text.split())


def test_citation_agrees_with_the_package_and_the_readme():
    citation = (ROOT / "CITATION.cff").read_text()
    said = dict(re.findall(r"^([\w-]+): (.+)$", citation, re.MULTILINE))
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    metadata = config["metadata"]
    assert said["title"] == metadata["name"] and said["license"] == metadata["license"]
    assert said["version"] == quasinewton.__version__
    assert said["abstract"] == metadata["description"]
    assert f"- name: {metadata['author']}" in citation
    keywords = re.findall(r"^  - ([\w -]+)$", citation, re.MULTILINE)
    assert keywords == metadata["keywords"].split(", ")
    readme = " ".join((ROOT / "README.md").read_text().split())
    paper = citation[citation.index("references:") :]
    assert re.search(r'title: "(.+)"', paper).group(1) in readme
    url = re.search(r'url: "(.+)"', paper).group(1)
    assert url in metadata["project_urls"] and f"arXiv:{url.rpartition('/')[2]}" in readme
    assert all(name in readme for name in re.findall(r"family-names: (\w+)", paper))


def test_architecture_page_lists_every_file():
    text = (ROOT / "docs" / "architecture.md").read_text()
    package = ROOT / "quasinewton"
    for path in package.rglob("*.py"):
        inside = path.relative_to(package)
        if path.name != "__init__.py" and inside.parts[0] != "problems":
            assert path.name in text, inside


def modules():
    for info in pkgutil.walk_packages(quasinewton.__path__, "quasinewton."):
        if not info.name.endswith("__main__"):
            yield info.name


#: Modules that import what only the extra `tensors` brings.
OF_EXTRAS = {"quasinewton.torch": "torch", "quasinewton.vectors.standard": "array_api_compat"}


@pytest.mark.parametrize("name", ["quasinewton", *modules()])
def test_docstring_examples(name):
    if name in OF_EXTRAS:
        pytest.importorskip(OF_EXTRAS[name])
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_options_docstring_names_every_option_and_its_default():
    text = Options.__doc__
    for f in fields(Options):
        entry = re.search(rf"(^|, |\n    ){f.name}\b[^\n]*", text)
        assert entry, f.name
        default = f.default if f.default is not MISSING else f.default_factory()
        said = re.search(r"default (.+)$", entry.group(0))
        if default is None or not said:
            continue
        said = said.group(1)
        if isinstance(default, float) and abs(default) == float("inf"):
            assert said in ("inf", "-inf", "no limit")
        elif isinstance(default, str):
            assert said == repr(default)
        else:
            assert float(said) == default if isinstance(default, float) else said == repr(default)


def test_theory_page_quotes_the_constants_of_the_rule():
    text = (ROOT / "docs" / "theory.md").read_text()
    rule = RuleParameters()
    assert rf"\rho \ge {rule.good}" in text and rf"\rho < {rule.poor}" in text
    assert rf"at least ${rule.grow:g} \lVert s\rVert$" in text
    assert f"[{rule.shrink_min}, {rule.shrink_max}]" in text
    assert {recipe.rule["shrink_min"] for recipe in QUASI_NEWTON.values()} == {0.02}
    assert f"[0.02, {rule.shrink_max}]" in text
    assert rf"\rho > {rule.keep:g}" in text


def test_numbers_and_picture_of_the_readme_are_those_of_today(tmp_path, monkeypatch):
    """Roughly: another version of NumPy or SciPy may need an evaluation more."""
    image = pytest.importorskip("PIL.Image")
    text = " ".join((ROOT / "README.md").read_text().split())
    ours, lbfgsb, bfgs = map(int, re.search(
        r"the function (\d+) times, SciPy's L-BFGS-B (\d+) times and SciPy's BFGS (\d+)", text
    ).groups())  # fmt: skip
    if importlib.util.find_spec("sklearn"):
        p = quasinewton.problems.get("logistic_breast_cancer")
        assert quasinewton.minimize(p.fun, p.x0, jac=p.grad).nfev == pytest.approx(ours, abs=1)
        for method, said in (("L-BFGS-B", lbfgsb), ("BFGS", bfgs)):
            tight = {"gtol": 1e-5, "ftol": 0.0} if method == "L-BFGS-B" else {"gtol": 1e-5}
            result = minimize(p.fun, p.x0, jac=p.grad, method=method, options=tight)
            assert result.nfev == pytest.approx(said, rel=0.15)

    drawn = tmp_path / "profiles.png"
    monkeypatch.setattr("sys.argv", ["profiles.py", str(drawn)])
    runpy.run_path(str(ROOT / "examples" / "profiles.py"), run_name="__main__")

    def table(path):
        """solved, cheapest, mean cost by method, which the picture holds as a comment."""
        with image.open(path) as picture:
            rows = picture.text["Comment"].splitlines()[1:]
        return {" ".join(row.split()[:-3]): [float(v) for v in row.split()[-3:]] for row in rows}

    kept, now = table(ROOT / "docs" / "images" / "profiles.png"), table(drawn)
    assert list(kept) == list(now)
    for method, (solved, cheapest, mean) in kept.items():
        assert now[method][0] == pytest.approx(solved, abs=1), method
        assert now[method][1] == pytest.approx(cheapest, abs=3), method
        assert now[method][2] == pytest.approx(mean, rel=0.05), method
    count, cheapest, mean = re.search(
        r"the (\d+) small problems .* on (\d+), and in the mean ([\d.]+) times", text
    ).groups()
    default = kept["default"]
    assert [int(cheapest), float(mean)] == default[1:] and int(count) >= default[0]


def test_example_rosenbrock_paths(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("sys.argv", ["rosenbrock_paths.py", str(tmp_path / "paths.png")])
    runpy.run_path(str(ROOT / "examples" / "rosenbrock_paths.py"), run_name="__main__")
    assert (tmp_path / "paths.png").stat().st_size > 10_000
