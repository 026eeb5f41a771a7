// Counter-based random numbers, on the host and in kernels: Philox4x32-10 (Salmon et al. 2011, "Parallel
// random numbers: as easy as 1, 2, 3").
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define TANDEM_HOST_DEVICE __host__ __device__
#else
#define TANDEM_HOST_DEVICE
#endif

namespace tandem {

struct PhiloxBlock {
  std::uint32_t at[4];
};

/// One block: a pure function of the counter (128 bits) and the key (64 bits).
TANDEM_HOST_DEVICE inline PhiloxBlock philox4x32(PhiloxBlock counter, std::uint32_t key0,
                                                 std::uint32_t key1) {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53;
  constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9;
  constexpr std::uint32_t kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = kMultiplier0 * counter.at[0];
    const std::uint64_t product1 = kMultiplier1 * counter.at[2];
    counter = {{static_cast<std::uint32_t>(product1 >> 32) ^ counter.at[1] ^ key0,
                static_cast<std::uint32_t>(product1),
                static_cast<std::uint32_t>(product0 >> 32) ^ counter.at[3] ^ key1,
                static_cast<std::uint32_t>(product0)}};
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return counter;
}

/// Uniform in [0, 1) with 24 bits: number `position` of the stream of (seed, problem, completion).
TANDEM_HOST_DEVICE inline float completion_uniform(std::uint64_t seed, std::uint64_t problem,
                                                   std::uint32_t completion, std::uint32_t position) {
  const PhiloxBlock block =
      philox4x32({{position, completion, static_cast<std::uint32_t>(problem),
                   static_cast<std::uint32_t>(problem >> 32)}},
                 static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
  return static_cast<float>(block.at[0] >> 8) * 0x1p-24F;
}

}  // namespace tandem
