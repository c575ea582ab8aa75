#pragma once

constexpr float KELVIN = 273.15f;
constexpr float FROST_AT = KELVIN + 1.5f;
