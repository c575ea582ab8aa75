#pragma once
#include "grid/shape.h"

__device__ inline float around(const float *field, Shape shape, int x, int y) {
    int left = max(x - 1, 0), right = min(x + 1, shape.width - 1);
    int up = max(y - 1, 0), down = min(y + 1, shape.height - 1);
    return 0.25f * (field[left + y * shape.width] + field[right + y * shape.width] + field[x + up * shape.width] +
                    field[x + down * shape.width]);
}
