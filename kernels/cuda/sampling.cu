#include "kernels/cuda/sampling.h"

#include "kernels/base/philox.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/rowwise.cuh"

namespace tandem::cuda {
namespace {

constexpr int kThreads = 512;
constexpr int kWarps = kThreads / kWarp;
constexpr int kDigitBits = 10;  // weights are ordered by 30 bits, ten at a time
constexpr int kBins = 1 << kDigitBits;
constexpr int kBinsOfLane = kBins / kWarp;

constexpr int kMaxVocabBits = 22;  // masses of so many fit into 64 bits

using Mass = unsigned long long;  // a number that CUDA can add atomically

/// One row of logits and what its weights are.
struct Row {
  const float* logits;
  int count;
  float top;     // the largest logit
  float factor;  // 1 / temperature

  /// In [0, 1].
  __device__ float weight(int id) const { return expf((logits[id] - top) * factor); }
  /// Weights in the order of their bits, 0x3F800000 at most.
  __device__ unsigned order(int id) const { return __float_as_uint(weight(id)); }
};

__device__ __forceinline__ Mass mass_of(float weight) {
  return static_cast<Mass>(weight * 0x1p40F);
}

/// Block-wide sum of what each thread has; all must call. Two barriers.
__device__ Mass block_mass(Mass value) {
  TANDEM_SHARED(Mass, partial, kWarps);
  for (int apart = kWarp / 2; apart > 0; apart /= 2) value += __shfl_xor_sync(kAllLanes, value, apart);
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = value;
  __syncthreads();
  Mass sum = 0;
  for (int i = 0; i < kWarps; ++i) sum += partial[i];
  __syncthreads();
  return sum;
}

/// The largest logit's id, the lowest of equals; NaN is not looked at. Two barriers.
__device__ int index_of_largest(const float* logits, int count) {
  TANDEM_SHARED(Mass, partial, kWarps);
  Mass best = 0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kThreads) {
    if (isnan(logits[i])) continue;
    const unsigned bits = __float_as_uint(logits[i] + 0.0F);  // so that -0 equals 0
    const unsigned order = (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
    best = max(best, Mass{order} << 32 | ~static_cast<unsigned>(i));
  }
  for (int apart = kWarp / 2; apart > 0; apart /= 2)
    best = max(best, __shfl_xor_sync(kAllLanes, best, apart));
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = best;
  __syncthreads();
  for (int i = 0; i < kWarps; ++i) best = max(best, partial[i]);
  __syncthreads();
  return best == 0 ? 0 : static_cast<int>(~static_cast<unsigned>(best));
}

/// The first id at which the running sum of measure(id) exceeds `target`, which the whole sum does. Each
/// round splits the ids left among the warps. All threads call.
template <typename Measure>
__device__ int find_by_id(int count, Mass target, const Measure& measure) {
  TANDEM_SHARED(Mass, sums, kWarps);
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  int begin = 0;
  int end = count;
  while (end - begin > kWarps) {
    const int part = ceil_div(end - begin, kWarps);
    const int last = min(begin + (warp + 1) * part, end);
    Mass sum = 0;
    for (int i = begin + warp * part + lane; i < last; i += kWarp) sum += measure(i);
    for (int apart = kWarp / 2; apart > 0; apart /= 2) sum += __shfl_xor_sync(kAllLanes, sum, apart);
    if (lane == 0) sums[warp] = sum;
    __syncthreads();
    int chosen = 0;
    while (chosen + 1 < kWarps && sums[chosen] <= target) target -= sums[chosen++];
    begin += chosen * part;
    end = min(begin + part, end);
    __syncthreads();
  }
  while (begin + 1 < end && measure(begin) <= target) target -= measure(begin++);
  return begin;
}

/// Where a target falls when ids are taken by falling weight.
struct Found {
  unsigned order;  // of the weight
  Mass above;      // measure of all heavier ids
};

/// The bin, from the highest down, at which the running sum exceeds `target`; and the sum of those above it.
/// Warp 0 looks.
__device__ Found find_bin(const Mass* bins, Mass target) {
  TANDEM_SHARED(unsigned, bin, 1);
  TANDEM_SHARED(Mass, above, 1);
  __syncthreads();
  if (threadIdx.x < kWarp) {
    const int lane = static_cast<int>(threadIdx.x);
    const int highest = kBins - 1 - lane * kBinsOfLane;
    Mass own = 0;
    for (int i = 0; i < kBinsOfLane; ++i) own += bins[highest - i];
    Mass before = own;
    for (int apart = 1; apart < kWarp; apart *= 2) {
      const Mass other = __shfl_up_sync(kAllLanes, before, static_cast<unsigned>(apart));
      if (lane >= apart) before += other;
    }
    before -= own;
    if (before <= target && target < before + own) {
      int i = highest;
      while (before + bins[i] <= target) before += bins[i--];
      *bin = static_cast<unsigned>(i);
      *above = before;
    }
  }
  __syncthreads();
  return {*bin, *above};
}

/// The weight at which the running sum of masses, or of ones, by falling weight, exceeds `target`, which the
/// whole sum does. Ten bits of the weight at a time, from the highest. All threads call.
__device__ Found find_by_weight(const Row& row, Mass target, bool ones) {
  TANDEM_SHARED(Mass, bins, kBins);
  Found found = {0, 0};
  for (int shift = 2 * kDigitBits; shift >= 0; shift -= kDigitBits) {
    for (int i = static_cast<int>(threadIdx.x); i < kBins; i += kThreads) bins[i] = 0;
    __syncthreads();
    for (int id = static_cast<int>(threadIdx.x); id < row.count; id += kThreads) {
      const unsigned order = row.order(id);
      if (order >> shift >> kDigitBits != found.order) continue;
      const Mass amount = ones ? 1 : mass_of(__uint_as_float(order));
      if (amount > 0) atomicAdd(bins + (order >> shift) % kBins, amount);
    }
    const Found next = find_bin(bins, target - found.above);
    found = {found.order << kDigitBits | next.order, found.above + next.above};
    __syncthreads();
  }
  return found;
}

/// Mass of the ids up to the one at which `target` is exceeded, equals by rising id. Their number times the
/// mass of one is found by long division, since hardware has none.
__device__ Mass mass_through(const Found& found, Mass target) {
  const Mass each = mass_of(__uint_as_float(found.order));
  Mass rest = target - found.above;
  for (int bit = kMaxVocabBits; bit >= 0; --bit) {
    if (rest >= each << bit) rest -= each << bit;
  }
  return target - rest + each;
}

/// The draw by falling weight, from the ids that top-k and top-p leave. total: mass of all ids.
__device__ int draw_truncated(const Row& row, const SamplingRule& rule, Mass total, float uniform) {
  if (rule.top_k > 0 && rule.top_k < row.count) {
    const Mass last = static_cast<Mass>(rule.top_k) - 1;
    const Found found = find_by_weight(row, last, true);
    Mass heavier = 0;
    for (int id = static_cast<int>(threadIdx.x); id < row.count; id += kThreads) {
      if (row.order(id) > found.order) heavier += mass_of(row.weight(id));
    }
    total = block_mass(heavier) + (last - found.above + 1) * mass_of(__uint_as_float(found.order));
  }
  if (rule.top_p < 1.0F) {
    const double limit = ceil(static_cast<double>(total) * static_cast<double>(rule.top_p));
    const Mass last = limit < 1.0 ? 0 : min(static_cast<Mass>(limit), total) - 1;
    total = mass_through(find_by_weight(row, last, false), last);
  }
  const Mass target =
      min(static_cast<Mass>(static_cast<double>(total) * static_cast<double>(uniform)), total - 1);
  const Found drawn = find_by_weight(row, target, false);
  const Mass each = mass_of(__uint_as_float(drawn.order));
  return find_by_id(row.count, target - drawn.above,
                    [&](int id) { return row.order(id) == drawn.order ? each : 0; });
}

/// Draws as kernels take them.
struct DrawSource {
  const float* uniforms;  // or null
  std::uint64_t seed, problem;
  const std::int32_t* completions;
  const std::int32_t* positions;
  std::int32_t first;

  __device__ float at(int b) const {
    if (uniforms != nullptr) return uniforms[b];
    return completion_uniform(seed, problem, static_cast<std::uint32_t>(completions[b]),
                              static_cast<std::uint32_t>(positions[b] - first));
  }
};

/// Block b: row b.
__global__ void __launch_bounds__(kThreads)
    sample_kernel(Matrix<float> logits, int vocab, SamplingRule rule, DrawSource draws, std::int32_t* tokens,
                  float* logprobs) {
  const int b = static_cast<int>(blockIdx.x);
  Row row = {logits.at(b, 0), vocab, 0.0F, 1.0F};
  int token = index_of_largest(row.logits, vocab);
  row.top = row.logits[token];
  float own = 0.0F;
  for (int id = static_cast<int>(threadIdx.x); id < vocab; id += kThreads) own += row.weight(id);
  const float plain_sum = block_sum<kThreads>(own);
  if (rule.temperature > 0.0F && !isnan(plain_sum)) {  // NaN leaves nothing to draw from
    row.factor = 1.0F / rule.temperature;
    Mass mass = 0;
    for (int id = static_cast<int>(threadIdx.x); id < vocab; id += kThreads) mass += mass_of(row.weight(id));
    const Mass total = block_mass(mass);
    const float uniform = draws.at(b);
    if ((rule.top_k > 0 && rule.top_k < vocab) || rule.top_p < 1.0F) {
      token = draw_truncated(row, rule, total, uniform);
    } else {
      const double target = static_cast<double>(total) * static_cast<double>(uniform);
      token = find_by_id(vocab, min(static_cast<Mass>(target), total - 1),
                         [&](int id) { return mass_of(row.weight(id)); });
    }
  }
  if (threadIdx.x != 0) return;
  tokens[b] = token;
  logprobs[b] = row.logits[token] - row.top - logf(plain_sum);
}

}  // namespace

void sample(Stream& stream, TensorView logits, std::int64_t vocab, const SamplingRule& rule,
            const Draws& draws, std::span<std::int32_t> tokens, std::span<float> logprobs) {
  const std::int64_t batch = logits.rank() == 2 ? logits.extent(0) : -1;
  TANDEM_CHECK(batch >= 0 && vocab > 0 && vocab <= logits.extent(1) &&
                   vocab <= (std::int64_t{1} << kMaxVocabBits) && draws.count() == batch &&
                   std::ssize(tokens) == batch && std::ssize(logprobs) == batch,
               "sample: logits " + logits.shape().str() + ", vocab " + std::to_string(vocab) + ", " +
                   std::to_string(draws.count()) + " draws, " + std::to_string(tokens.size()) +
                   " tokens, " + std::to_string(logprobs.size()) + " log-probabilities");
  launch(stream, sample_kernel, Grid{batch}, Block{kThreads}, 0, matrix(logits), vocab, rule,
         DrawSource{draws.uniforms.empty() ? nullptr : draws.uniforms.data(), draws.seed, draws.problem,
                    draws.completions.data(), draws.positions.data(), draws.first},
         tokens.data(), logprobs.data());
}

}  // namespace tandem::cuda
