// Seeded draws that give the same numbers on every platform: the standard library's distributions and shuffle
// do not (test_time_compute.md section 2), and window and command line must print the same digits.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <utility>

namespace tandem {

/// Uniform index in [0, count), count >= 1, from the upper 53 bits of one number.
inline std::int64_t draw_index(std::mt19937_64& generator, std::int64_t count) {
  const double uniform = static_cast<double>(generator() >> 11) * 0x1p-53;
  return static_cast<std::int64_t>(uniform * static_cast<double>(count));
}

/// Puts a uniformly drawn ordered subset of `size` items at the front (all of them: a shuffle).
template <typename T>
void draw_subset(std::mt19937_64& generator, std::span<T> items, std::int64_t size) {
  const auto count = static_cast<std::int64_t>(items.size());
  for (std::int64_t i = 0; i < size; ++i)
    std::swap(items[static_cast<std::size_t>(i)],
              items[static_cast<std::size_t>(i + draw_index(generator, count - i))]);
}

}  // namespace tandem
