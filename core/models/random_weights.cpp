#include "core/models/random_weights.h"

#include <algorithm>
#include <cmath>

#include "kernels/base/philox.h"

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

void store(BFloat16 value, BFloat16& to) {
  to = value;
}
void store(BFloat16 value, float& to) {
  to = to_float(value);
}

/// Uniform with a standard deviation of `deviation`, eight values from each block of random bits.
template <typename Value>
void fill_uniform(std::uint64_t key, float deviation, Value* values, std::int64_t count) {
  const float step = deviation * std::sqrt(3.0F) * 0x1p-15F;
  std::uint64_t block = 0;
  for (std::int64_t at = 0; at < count; ++block) {
    const PhiloxBlock words =
        philox4x32({{static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), 0, 0}},
                   static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32));
    for (const std::uint32_t word : words.at)
      for (const int shift : {0, 16})
        if (at < count)
          store(to_bfloat16(step * (static_cast<float>((word >> shift) & 0xFFFFU) - 32767.5F)), values[at++]);
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
