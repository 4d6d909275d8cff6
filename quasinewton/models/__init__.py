"""Models of the Hessian from pairs of steps and changes of the gradient."""
