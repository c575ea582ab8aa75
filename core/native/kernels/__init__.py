"""Kernels: what cubins and PTX tell of them, how they differ, what they spill."""
