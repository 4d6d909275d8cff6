"""For sphinx-gallery: figures of `quasinewton.display.plot`, which pyplot does not know of."""

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst


def _get_sg_image_scraper():
    return scrape


def scrape(block, block_vars, gallery_conf):
    """Save the figures that a block has left in its variables."""
    variables, paths = block_vars["example_globals"], []
    for name, value in list(variables.items()):
        if isinstance(value, Figure) and value.canvas.manager is None:
            path = next(block_vars["image_path_iterator"])
            variables.pop(name).savefig(path, dpi=100)
            paths.append(path)
    return figure_rst(paths, gallery_conf["src_dir"])
