"""What a person sees of a run: pictures, a progress bar, a table of iterations."""
