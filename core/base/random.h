// Counter-based random numbers: the n-th number of a stream is a pure function of (key, n). Philox4x32-10
// (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
#pragma once

#include <array>
#include <cstdint>

namespace tandem {

/// One block of Philox4x32-10.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// Uniform in [0, 1) with 24 bits: number `position` of the stream of (seed, problem, completion).
float completion_uniform(std::uint64_t seed, std::uint64_t problem, std::uint32_t completion,
                         std::uint32_t position);

}  // namespace tandem
