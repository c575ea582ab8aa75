"""What edits cost: classes, iterations, where the time goes, what would make nvcc faster."""
