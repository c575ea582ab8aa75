#pragma once

struct Shape {
    int width;
    int height;
};

inline int cells_of(Shape shape) { return shape.width * shape.height; }
