#include "grid/shape.h"

__global__ void drain(float *water, Shape shape, float share) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < shape.width * shape.height) water[at] *= 1.0f - share;
}

extern "C" int grid_drain(float *water, int width, int height, float share) {
    Shape shape{width, height};
    drain<<<(cells_of(shape) + 255) / 256, 256>>>(water, shape, share);
    return static_cast<int>(cudaGetLastError());
}
