"""What a clean takes away, what asks for it, and the smallest one that mends it."""
