#include "units.cuh"
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#include "hopper.cuh"
#else
constexpr int DROPS_A_STEP = 2;
#endif

extern "C" __global__ void rain_fall(const float *clouds, float *ground, int count, int steps) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    float water = 0.0f;
    for (int step = 0; step < steps; ++step) {
#pragma unroll
        for (int drop = 0; drop < DROPS_A_STEP; ++drop) water += clouds[(at * DROPS_A_STEP + drop + step) % count];
    }
    ground[at] += water;
}
