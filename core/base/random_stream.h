// A sequence of random draws from one stream of the counter-based generator: the n-th draw is a pure function
// of (seed, stream, substream, n), on every platform (no std distributions, whose output is not fixed).
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <numbers>
#include <span>

#include "kernels/base/check.h"
#include "kernels/base/philox.h"

namespace tandem {

class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::uint64_t stream, std::uint32_t substream = 0)
      : seed_(seed),
        stream_(stream),
        substream_(substream) {}

  std::uint32_t next() {
    if (used_ == std::size(block_.at)) {
      block_ = philox4x32({{counter_++, substream_, static_cast<std::uint32_t>(stream_),
                            static_cast<std::uint32_t>(stream_ >> 32)}},
                          static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32));
      used_ = 0;
    }
    return block_.at[used_++];
  }

  /// In [0, 1), 24 bits.
  double uniform() { return static_cast<double>(next() >> 8) * 0x1p-24; }

  /// A whole number in [low, high], both included; the range is at most 2^32 wide.
  std::int64_t between(std::int64_t low, std::int64_t high) {
    TANDEM_CHECK(low <= high, "an empty range has nothing to draw");
    const auto width = static_cast<std::uint64_t>(high - low) + 1;
    return low + static_cast<std::int64_t>((next() * width) >> 32);
  }

  bool chance(double probability) { return uniform() < probability; }

  template <typename T>
  const T& pick(std::span<const T> options) {
    return options[static_cast<std::size_t>(between(0, static_cast<std::int64_t>(options.size()) - 1))];
  }

  /// Standard normal (Box and Muller 1958).
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t seed_;
  std::uint64_t stream_;
  std::uint32_t substream_;
  std::uint32_t counter_ = 0;
  PhiloxBlock block_{};
  std::size_t used_ = 4;
};

}  // namespace tandem
