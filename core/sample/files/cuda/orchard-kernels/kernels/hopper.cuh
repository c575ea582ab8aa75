#pragma once

constexpr int DROPS_A_STEP = 4;
