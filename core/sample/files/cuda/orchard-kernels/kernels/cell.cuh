#pragma once
#include "units.cuh"

struct Cell {
    float kelvin;
    float humidity;
    float wind;
};

__device__ inline float chill(const Cell &cell) {
    float celsius = cell.kelvin - KELVIN;
    float gust = powf(cell.wind * 3.6f, 0.16f);
    return 13.12f + 0.6215f * celsius - 11.37f * gust + 0.3965f * celsius * gust;
}
