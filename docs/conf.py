"""The pages as HTML, without the network: sphinx-build -W docs docs/_build."""

from numpydoc.xref import DEFAULT_LINKS

import quasinewton

project = "quasinewton"
author = "The quasinewton developers"
copyright = author
release = version = quasinewton.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",  # copies MathJax to the pages, so that formulas need no network
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "inventories"]
default_role = "py:obj"
highlight_language = "none"

myst_enable_extensions = ["dollarmath"]  # as GitHub shows it
myst_fence_as_directive = ["math"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc's sections hold the types
numpydoc_show_class_members = False
# Types of SciPy's in docstrings lead to its pages.
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {
    # numpydoc has links of its own for these, to places that the inventories do not hold
    **{name: name for name in DEFAULT_LINKS},
    "HessianUpdateStrategy": "scipy.optimize.HessianUpdateStrategy",
    "LinearOperator": "scipy.sparse.linalg.LinearOperator",
    "OptimizeResult": "scipy.optimize.OptimizeResult",
}

# The inventory holds the few names of SciPy's that these pages use, so a build needs no network.
intersphinx_mapping = {"scipy": ("https://docs.scipy.org/doc/scipy", "inventories/scipy.inv")}

copybutton_exclude = ".linenos, .gp, .go"  # prompts and output are not copied

# Every script in examples/ is run by the build, its docstring a page in reST that starts with the
# title; of the folders, those with a GALLERY_HEADER.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    # Processes that are spawned do not find the functions of a page.
    "filename_pattern": r"/(?!torch_distributed)\w+\.py$",
    "run_stale_examples": True,
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
}

html_theme = "furo"
html_title = f"quasinewton {release}"
html_static_path = ["_static"]
html_css_files = ["narrow.css"]
html_copy_source = False
