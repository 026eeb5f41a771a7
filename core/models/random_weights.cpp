#include "core/models/random_weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace tandem {
namespace {

/// FNV-1a.
std::uint64_t hash_of(const std::string& name) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  return hash;
}

float vector_value(const std::string& name) {
  return name.ends_with("weight") || name.ends_with(".D") ? 1.0F : 0.0F;
}

/// Number `position` of the stream `key` (SplitMix64: Steele et al. 2014, "Fast splittable pseudorandom
/// number generators"). Billions are drawn, of which nothing is asked but that they are spread.
std::uint64_t random_word(std::uint64_t key, std::uint64_t position) {
  std::uint64_t z = key + (position + 1) * 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

void store(BFloat16 value, BFloat16& to) {
  to = value;
}
void store(BFloat16 value, float& to) {
  to = to_float(value);
}

/// Uniform with a standard deviation of `deviation`, four values from each word.
template <typename Value>
void fill_uniform(std::uint64_t key, float deviation, Value* values, std::int64_t count) {
  constexpr std::int64_t kBlock = 256;  // apart from the words, so that the rest is done many at a time
  std::array<std::int16_t, kBlock> whole;
  const float step = deviation * std::sqrt(3.0F) * 0x1p-15F;
  for (std::int64_t first = 0; first < count; first += kBlock) {
    for (std::int64_t i = 0; i < kBlock; i += 4) {
      const std::uint64_t word = random_word(key, static_cast<std::uint64_t>((first + i) / 4));
      std::memcpy(&whole[static_cast<std::size_t>(i)], &word, sizeof(word));
    }
    const std::int64_t left = std::min(kBlock, count - first);
    for (std::int64_t i = 0; i < left; ++i)
      store(to_bfloat16(step * (static_cast<float>(whole[static_cast<std::size_t>(i)]) + 0.5F)),
            values[first + i]);
  }
}

}  // namespace

void fill_random(const std::string& name, TensorView to) {
  const bool narrow = to.dtype() == DType::BF16;
  TANDEM_CHECK(to.contiguous() && (narrow || to.dtype() == DType::F32),
               name + ": random weights are F32 or BF16");
  auto* const narrow_values = static_cast<BFloat16*>(to.data());
  if (to.rank() == 1) {
    const float value = vector_value(name);
    if (narrow)
      std::fill_n(narrow_values, to.elements(), to_bfloat16(value));
    else
      std::fill_n(to.f32(), to.elements(), value);
    return;
  }
  const float deviation = 1.0F / std::sqrt(static_cast<float>(to.extent(-1)));
  if (narrow)
    fill_uniform(hash_of(name), deviation, narrow_values, to.elements());
  else
    fill_uniform(hash_of(name), deviation, to.f32(), to.elements());
}

}  // namespace tandem
