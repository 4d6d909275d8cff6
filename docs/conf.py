"""The pages as HTML, without the network: sphinx-build -W docs docs/_build."""

import quasinewton

project = "quasinewton"
author = "The quasinewton developers"
copyright = author
release = version = quasinewton.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
default_role = "py:obj"
highlight_language = "none"

myst_enable_extensions = ["dollarmath"]  # as GitHub shows it
myst_fence_as_directive = ["math"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc's sections hold the types
numpydoc_show_class_members = False

# Every script in examples/ is run by the build, its docstring a page in reST that starts with the
# title; of the folders, those with a GALLERY_HEADER.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
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
