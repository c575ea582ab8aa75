#include "cell.cuh"

constexpr int TILE = 16;

extern "C" __global__ void frost_risk(const Cell *cells, float *risk, int count) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    float felt = chill(cells[at]) + KELVIN;
    risk[at] = 1.0f / (1.0f + expf(felt - FROST_AT)) * cells[at].humidity;
}

extern "C" __global__ void frost_spread(const float *risk, float *spread, int width, int height) {
    __shared__ float tile[TILE + 2][TILE + 2];
    int x = blockIdx.x * TILE + threadIdx.x, y = blockIdx.y * TILE + threadIdx.y;
    int inside = min(x, width - 1) + min(y, height - 1) * width;
    tile[threadIdx.y + 1][threadIdx.x + 1] = risk[inside];
    __syncthreads();
    float sum = 0.0f;
#pragma unroll
    for (int dy = 0; dy <= 2; ++dy) {
#pragma unroll
        for (int dx = 0; dx <= 2; ++dx) sum += tile[threadIdx.y + dy][threadIdx.x + dx];
    }
    if (x < width && y < height) spread[inside] = sum / 9.0f;
}
