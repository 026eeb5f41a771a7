// Bandwidth of the two kernels that decoding rests on, beside that of a copy measured in the same run, and
// the share of it that is wanted of each. On a GPU; its emulation runs small sizes, whose times mean nothing.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "kernels/base/context.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/stream.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/copy.h"
#include "kernels/ops/ssm_step.h"

using namespace tandem;

namespace {

#ifdef TANDEM_CUDA_EMULATED
constexpr std::array<std::int64_t, 1> kBatches = {1};
constexpr std::array<std::int64_t, 1> kTokens = {64};
constexpr std::array<std::int64_t, 2> kRings = {1, 2};
constexpr std::int64_t kCompletions = 4;
constexpr std::int64_t kCopyBytes = 1 << 16;
constexpr std::size_t kLeastRounds = 1;
constexpr double kLeastSeconds = 0;
#else
constexpr std::array<std::int64_t, 3> kBatches = {128, 256, 1024};
constexpr std::array<std::int64_t, 2> kTokens = {64 << 10, 256 << 10};
constexpr std::array<std::int64_t, 2> kRings = {1, 8};  // steps between writes of a state
constexpr std::int64_t kCompletions = 32;
constexpr std::int64_t kCopyBytes = 1 << 30;
constexpr std::size_t kLeastRounds = 5;
constexpr double kLeastSeconds = 0.3;  // of measuring, in as many rounds as it takes
#endif
constexpr double kStepShare = 0.85;  // wanted of the copy's bandwidth
constexpr double kAttentionShare = 0.80;

/// Operands on the device and the time of work on them.
class Bench {
 public:
  explicit Bench(Device& device) : device_(device), random_(1 << 20), context_(1, &device) {
    std::mt19937 generator(1);
    std::normal_distribution<float> normal(0.0F, 0.5F);
    for (float& value : random_) value = normal(generator);
    for (const float value : random_) narrow_.push_back(to_bfloat16(value));
  }

  Context& context() { return context_; }

  TensorView random(Shape shape, DType type = DType::F32) {
    const std::int64_t bytes = shape.elements() * element_bytes(type);
    auto* data = reinterpret_cast<std::byte*>(context_.scratch((bytes + 3) / 4));
    const void* from = type == DType::F32 ? static_cast<const void*>(random_.data()) : narrow_.data();
    const std::int64_t piece = std::ssize(random_) * element_bytes(type);
    for (std::int64_t at = 0; at < bytes; at += piece)
      context_.queue()->copy_in(data + at, from, std::min(piece, bytes - at));
    return {data, type, shape};
  }
  /// NaN until written.
  TensorView unwritten(Shape shape) {
    const TensorView view = context_.scratch_tensor(shape);
    const std::vector<float> values(static_cast<std::size_t>(shape.elements()), std::nanf(""));
    context_.queue()->copy_in(view.data(), values.data(), std::ssize(values) * 4);
    return view;
  }
  /// [count] from `first` on.
  std::span<const std::int32_t> ids(std::int64_t count, std::int32_t first) {
    std::vector<std::int32_t> values(static_cast<std::size_t>(count));
    std::iota(values.begin(), values.end(), first);
    return context_.place<std::int32_t>(values);
  }

  /// How many operands of so many bytes it takes, one after another, so that none is still in the cache.
  std::int64_t sets(std::int64_t bytes) const { return 1 + 4 * device_.info().cache_bytes / bytes; }

  /// Median seconds of work(set), recorded for all sets as decoding records its steps, per set.
  double seconds(std::int64_t sets, const std::function<void(std::int64_t)>& work) {
    DeviceQueue& queue = *context_.queue();
    queue.start_recording();
    for (std::int64_t set = 0; set < sets; ++set) work(set);
    const auto recording = queue.finish_recording();
    queue.repeat(*recording);
    queue.synchronize();
    std::vector<double> rounds;
    double all = 0;
    while (rounds.size() < kLeastRounds || all < kLeastSeconds) {
      const auto start = std::chrono::steady_clock::now();
      queue.repeat(*recording);
      queue.synchronize();
      rounds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
      all += rounds.back();
    }
    std::ranges::nth_element(rounds, rounds.begin() + std::ssize(rounds) / 2);
    return rounds[rounds.size() / 2] / static_cast<double>(sets);
  }

  /// Whether a result was written, by numbers.
  bool finite(TensorView result) {
    std::vector<float> values(static_cast<std::size_t>(result.elements()));
    context_.queue()->copy_out(values.data(), result.data(), std::ssize(values) * 4);
    return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
  }

 private:
  Device& device_;
  std::vector<float> random_;
  std::vector<BFloat16> narrow_;
  Context context_;
};

/// Bytes a second, both ways counted: the better of the driver's copy and of our kernel's.
double copy_rate(Bench& bench) {
  const Shape half = {kCopyBytes / 4096, 1024};
  const ScratchScope scope(bench.context());
  const TensorView from = bench.random(half);
  const TensorView to = bench.random(half);
  const double kernel_s = bench.seconds(4, [&](std::int64_t) { copy(bench.context(), from, to); });
  cuda::Stream stream;
  double driver_s = kernel_s;
  for (std::size_t round = 0; round < kLeastRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 4; ++i) cuda::copy_on_device(stream, to.data(), from.data(), half.elements() * 4);
    stream.synchronize();
    driver_s = std::min(driver_s,
                        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / 4);
  }
  const double bytes = 2.0 * 4 * static_cast<double>(half.elements());
  std::printf("%-56s %7.0f GB/s by our kernel, %.0f by the driver\n", "copy", 1e-9 * bytes / kernel_s,
              1e-9 * bytes / driver_s);
  return bytes / std::min(kernel_s, driver_s);
}

/// One line; true if the result is sound.
bool report(Bench& bench, const std::string& what, double bytes, double seconds, double copy_rate,
            double wanted, TensorView result) {
  const double share = bytes / seconds / copy_rate;
  std::printf("%-56s %7.0f GB/s %8.1f us %5.0f %% of the copy, %.0f %% wanted: %s\n", what.c_str(),
              1e-9 * bytes / seconds, 1e6 * seconds, 100 * share, 100 * wanted,
              share >= wanted ? "met" : "MISSED");
  std::fflush(stdout);
  if (bench.finite(result)) return true;
  std::fprintf(stderr, "%s: the result is not a number\n", what.c_str());
  return false;
}

struct StepShape {
  const char* name;
  std::int64_t nheads, headdim, dstate, groups;
  bool steps;  // has step sizes dt
};

/// States written at every `ring`-th step; sets of operands are at all places of their rings alike.
bool bench_step(Bench& bench, const StepShape& shape, DType type, std::int64_t ring, std::int64_t batch,
                double copy_rate) {
  constexpr std::int64_t kTaps = 4;
  const auto& [name, nheads, headdim, dstate, groups, steps] = shape;
  const ScratchScope scope(bench.context());
  const std::int64_t width = nheads * headdim;
  const std::int64_t columns = width + 2 * groups * dstate;
  SsmStep step;
  step.heads = {nheads, headdim, dstate, nheads, groups, groups, {}, {}, {}, {}, {}, bench.random({nheads})};
  step.input = bench.random({batch, columns});
  step.conv_weight = bench.random({columns, kTaps});
  step.activation = steps ? ConvActivation::Silu : ConvActivation::Identity;
  step.decay = bench.random({batch, nheads});
  if (steps) step.dt_bias = bench.random({nheads});
  if (steps) step.a_log = bench.random({nheads});
  const TensorView y = bench.unwritten({batch, width});
  const std::int64_t state_bytes = element_bytes(type) * batch * width * dstate;
  const std::int64_t window_bytes = 4 * batch * (kTaps - 1) * columns;
  const std::int64_t sets = (bench.sets(state_bytes) + ring - 1) / ring * ring;
  const TensorView states = bench.random({sets * batch, width * dstate}, type);
  const TensorView windows = bench.random({sets * batch, (kTaps - 1) * columns});
  const std::int64_t kept_columns = columns - groups * dstate;
  step.ring.length = ring;
  step.ring.inputs = bench.random({sets * batch, (ring - 1) * kept_columns});
  step.ring.decays = bench.random({sets * batch, (ring - 1) * 2 * nheads});
  clear(bench.context(), step.ring.decays);  // inputs of no weight, so that states do not grow
  std::vector<std::span<const std::int32_t>> slots, positions;
  for (std::int64_t set = 0; set < sets; ++set) {
    slots.push_back(bench.ids(batch, static_cast<std::int32_t>(set * batch)));
    const std::vector<std::int32_t> place(static_cast<std::size_t>(batch),
                                          static_cast<std::int32_t>(set % ring));
    positions.push_back(bench.context().place<std::int32_t>(place));
  }
  const double seconds = bench.seconds(sets, [&](std::int64_t set) {
    const auto at = static_cast<std::size_t>(set);
    SsmStep own = step;
    own.ring.positions = positions[at];
    ssm_step(bench.context(), own, windows, states, slots[at], y);
  });
  // Of ring - 1 steps each writes an input; on average half of them are read.
  const double kept = static_cast<double>(4 * batch * (kept_columns + 2 * nheads) * (ring - 1)) *
                      (1 / static_cast<double>(ring) + 0.5);
  const std::int64_t operands = 4 * batch * (columns + nheads + width);
  return report(bench,
                std::string("state update, ") + dtype_name(type) + ", " + name + ", batch " +
                    std::to_string(batch) + (ring > 1 ? ", written every " + std::to_string(ring) : ""),
                static_cast<double>(state_bytes) * (1 + 1 / static_cast<double>(ring)) + kept +
                    static_cast<double>(2 * window_bytes + operands),
                seconds, copy_rate, kStepShare, y);
}

/// `batch` completions that hold `cached` tokens in all, with a prompt's shared keys and values or without.
bool bench_attention(Bench& bench, std::int64_t batch, std::int64_t prefix, std::int64_t cached, DType type,
                     double copy_rate) {
  constexpr std::int64_t kHeads = 32, kHeadsKv = 8, kDim = 64;  // Llama-3.2-1B
  const ScratchScope scope(bench.context());
  const std::int64_t capacity = (cached - prefix) / batch;
  const std::int64_t bytes = 2 * kHeadsKv * kDim * cached * element_bytes(type);
  const std::int64_t sets = bench.sets(bytes);
  const TensorView q = bench.random({batch, kHeads * kDim});
  const TensorView out = bench.unwritten(q.shape());
  const std::vector<std::int32_t> newest(static_cast<std::size_t>(batch),
                                         static_cast<std::int32_t>(prefix + capacity - 1));
  const auto slots = bench.ids(batch, 0);
  const auto positions = bench.context().place<std::int32_t>(newest);
  std::vector<SharedPrefix> shared;
  std::vector<SlotCaches> own;
  for (std::int64_t set = 0; set < sets; ++set) {
    const Shape prompt = {kHeadsKv, prefix, kDim};
    const Shape cache = {batch, kHeadsKv, capacity, kDim};
    shared.push_back({bench.random(prompt, type), bench.random(prompt, type)});
    own.push_back({bench.random(cache, type), bench.random(cache, type), slots, positions, prefix});
  }
  const double seconds = bench.seconds(sets, [&](std::int64_t set) {
    const auto i = static_cast<std::size_t>(set);
    decode_attention(bench.context(), q, shared[i], own[i], kHeads, kHeadsKv, 0.125F, out);
  });
  const std::string what = "decode attention, " + std::string(dtype_name(type)) + ", batch " +
                           std::to_string(batch) + ", " + std::to_string(cached) + " tokens" +
                           (prefix > 0 ? ", half shared" : "");
  return report(bench, what, static_cast<double>(bytes + 2 * q.elements() * 4), seconds, copy_rate,
                kAttentionShare, out);
}

bool run(Device& device) {
  Bench bench(device);
  std::printf("%s\n", device.info().name.c_str());
  const double copy = copy_rate(bench);
  bool sound = true;
  for (const StepShape& shape :
       {StepShape{"Llamba-1B", 32, 64, 64, 32, false}, StepShape{"mamba2-1.3b", 64, 64, 128, 1, true}})
    for (const DType type : {DType::F32, DType::BF16})
      for (const std::int64_t ring : kRings)
        for (const std::int64_t batch : kBatches) sound &= bench_step(bench, shape, type, ring, batch, copy);
  for (const DType type : {DType::F32, DType::BF16})
    for (const std::int64_t tokens : kTokens) {
      sound &= bench_attention(bench, 1, 0, tokens, type, copy);
      sound &= bench_attention(bench, kCompletions, 0, tokens, type, copy);
      sound &= bench_attention(bench, kCompletions, tokens / 2, tokens, type, copy);
    }
  return sound;
}

}  // namespace

int main() {
  std::array<char, 256> why{};
  try {
    Device* device = cuda::open_device(kDeviceInterface, 0, why.data(), why.size());
    if (device != nullptr) return run(*device) ? 0 : 1;
    std::fprintf(stderr, "No GPU to measure: %s.\n", why.data());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
  return 1;
}
