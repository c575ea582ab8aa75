"""What cargo, CMake, make, ninja and nvcc leave behind, as they wrote it: read, not judged."""
