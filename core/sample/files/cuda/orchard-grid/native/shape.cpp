#include "grid/shape.h"

extern "C" int grid_cells(int width, int height) { return cells_of(Shape{width, height}); }
