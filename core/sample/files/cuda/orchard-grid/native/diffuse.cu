#include "grid/stencil.cuh"

__global__ void diffuse(const float *before, float *after, Shape shape, float share) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= shape.width || y >= shape.height) return;
    int at = x + y * shape.width;
    after[at] = before[at] + share * (around(before, shape, x, y) - before[at]);
}

extern "C" int grid_diffuse(const float *before, float *after, int width, int height, float share) {
    Shape shape{width, height};
    dim3 threads(16, 16), blocks((width + 15) / 16, (height + 15) / 16);
    diffuse<<<blocks, threads>>>(before, after, shape, share);
    return static_cast<int>(cudaGetLastError());
}
