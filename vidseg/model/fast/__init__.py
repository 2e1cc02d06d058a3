"""The same results sooner: CPU kernels, int8, torch.compile, and what a GPU needs. ``accelerate`` is the one hook."""
