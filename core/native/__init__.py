"""Native code in a build: nvcc's calls, kernels, and what they are made of."""
