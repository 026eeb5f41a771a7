// Time of each op at the sizes of the bundled models, beside what this machine's arithmetic and memory allow:
// `share` is the least possible time, by the larger of the two, over the time taken. Peaks are measured when
// the program starts. One thread unless the name says otherwise.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <numeric>
#include <thread>

#include <benchmark/benchmark.h>

#include "kernels/ops/activation.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/causal_conv.h"
#include "kernels/ops/matmul.h"
#include "kernels/ops/norm.h"
#include "kernels/ops/rope.h"
#include "kernels/ops/sampling.h"
#include "kernels/ops/ssd.h"

using namespace tandem;

namespace {

// Operands, aligned as a model's are. Kept until the next benchmark starts.
class Operands {
 public:
  TensorView zeros(Shape shape) {
    const TensorView view = memory_.scratch_tensor(shape);
    std::fill_n(view.f32(), view.elements(), 0.0F);
    return view;
  }
  TensorView random(Shape shape, float scale = 1.0F) {
    const TensorView view = memory_.scratch_tensor(shape);
    std::generate_n(view.f32(), view.elements(), [&] {
      seed_ = seed_ * 6364136223846793005U + 1442695040888963407U;
      return scale * (static_cast<float>(seed_ >> 40) * 0x1p-23F - 1.0F);
    });
    return view;
  }

 private:
  Context memory_;
  std::uint64_t seed_ = 1;
};

double seconds_of(const std::function<void()>& work) {
  double best = 1e9;
  for (int i = 0; i < 20; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

// Our own product on operands that stay in the cache.
double peak_flops() {
  static const double peak = [] {
    Context context;
    Operands operands;
    const PackedMatrix packed = PackedMatrix::pack(context, operands.random({256, 256}), DType::F32);
    const TensorView x = operands.random({128, 256});
    const TensorView y = operands.zeros({128, 256});
    return 2.0 * 128 * 256 * 256 / seconds_of([&] { linear(context, x, packed, y); });
  }();
  return peak;
}

// Copies far larger than any cache, both ways counted.
double peak_bytes() {
  static const double peak = [] {
    std::vector<char> from(128 << 20, 1);
    std::vector<char> to(128 << 20, 2);
    return 2.0 * static_cast<double>(from.size()) /
           seconds_of([&] { std::memcpy(to.data(), from.data(), from.size()); });
  }();
  return peak;
}

// Reports rates; `flops` and `bytes` of one iteration.
void report(benchmark::State& state, double flops, double bytes) {
  using benchmark::Counter;
  const double least = std::max(flops / peak_flops(), bytes / peak_bytes());
  state.counters["GFLOP/s"] = Counter(flops * 1e-9, Counter::kIsIterationInvariantRate);
  state.counters["GB/s"] = Counter(bytes * 1e-9, Counter::kIsIterationInvariantRate);
  state.counters["share"] = Counter(least, Counter::kIsIterationInvariantRate);
}

void bench_linear(benchmark::State& state, DType type) {
  const std::int64_t rows = state.range(0);
  const std::int64_t in = state.range(1);
  const std::int64_t out = state.range(2);
  Context context(static_cast<int>(state.range(3)));
  Operands operands;
  const PackedMatrix packed = PackedMatrix::pack(context, operands.random({out, in}), type);
  const TensorView x = operands.random({rows, in});
  const TensorView y = operands.zeros({rows, out});
  for (auto _ : state) linear(context, x, packed, y);
  report(state, 2.0 * static_cast<double>(rows * in * out), 0);
}

void linear_shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"M", "K", "N", "threads"});
  for (const std::int64_t rows : {1, 8, 64}) {
    for (const auto& [in, out] : {std::pair{128, 256}, {128, 128}, {128, 768}, {384, 128}, {128, 103}}) {
      b->Args({rows, in, out, 1});
    }
  }
  for (const std::int64_t threads : {1, 2}) {
    b->Args({1, 2048, 8192, threads});
    b->Args({64, 128, 768, threads});
  }
}
BENCHMARK_CAPTURE(bench_linear, f32, DType::F32)->Apply(linear_shapes);
BENCHMARK_CAPTURE(bench_linear, bf16, DType::BF16)->Apply(linear_shapes);

constexpr std::int64_t kHeads = 4;
constexpr std::int64_t kHeadsKv = 2;
constexpr std::int64_t kDim = 32;

// What one layer's decode attention reads.
struct Decoding {
  SharedPrefix prefix;
  TensorView q, out;
  std::vector<std::int32_t> slots, positions;
  SlotCaches own;

  Decoding(Operands& operands, std::int64_t batch, std::int64_t prompt, std::int64_t tokens)
      : prefix{operands.random({kHeadsKv, prompt, kDim}), operands.random({kHeadsKv, prompt, kDim})},
        q(operands.random({batch, kHeads * kDim})),
        out(operands.zeros({batch, kHeads * kDim})),
        slots(static_cast<std::size_t>(batch)),
        positions(slots.size(), static_cast<std::int32_t>(prompt + tokens - 1)) {
    std::iota(slots.begin(), slots.end(), 0);
    own = {operands.random({batch, kHeadsKv, 512, kDim}),
           operands.random({batch, kHeadsKv, 512, kDim}),
           {},
           {},
           prompt};
  }
  void run(Context& context) {
    own.slot_ids = slots;
    own.positions = positions;
    decode_attention(context, q, prefix, own, kHeads, kHeadsKv, 0.18F, out);
  }
};

void bench_decode_attention(benchmark::State& state) {
  const std::int64_t batch = state.range(0);
  const std::int64_t prompt = state.range(1);
  const std::int64_t own = state.range(2);
  Context context(static_cast<int>(state.range(3)));
  // Several layers' worth, so that the private caches come from where they come from in a model.
  Operands operands;
  std::vector<Decoding> layers;
  for (int i = 0; i < 6; ++i) layers.emplace_back(operands, batch, prompt, own);
  std::size_t layer = 0;
  for (auto _ : state) layers[layer++ % layers.size()].run(context);
  report(state, 4.0 * static_cast<double>(batch * (prompt + own) * kHeads * kDim),
         8.0 * static_cast<double>((prompt + batch * own) * kHeadsKv * kDim));
}
BENCHMARK(bench_decode_attention)
    ->ArgNames({"B", "prompt", "own", "threads"})
    ->ArgsProduct({{1, 8, 64}, {512}, {1, 256, 512}, {1}})
    ->Args({64, 0, 512, 1})
    ->Args({64, 512, 256, 2});

void bench_causal_attention(benchmark::State& state) {
  const std::int64_t rows = state.range(0);
  Context context;
  Operands operands;
  const TensorView q = operands.random({rows, kHeads * kDim});
  const TensorView k = operands.random({rows, kHeadsKv * kDim});
  const TensorView v = operands.random({rows, kHeadsKv * kDim});
  const TensorView out = operands.zeros({rows, kHeads * kDim});
  for (auto _ : state) causal_attention(context, q, k, v, kHeads, kHeadsKv, 0.18F, out);
  report(state, 2.0 * static_cast<double>(rows * (rows + 1) * kHeads * kDim), 0);
}
BENCHMARK(bench_causal_attention)->Arg(64)->Arg(512);

SsdOperands recurrence(Operands& operands, std::int64_t rows, std::int64_t dstate) {
  SsdOperands o = {kHeads, kDim, dstate, kHeads, kHeads, kHeads, {}, {}, {}, {}, {}, {}};
  o.x = operands.random({rows, kHeads * kDim});
  o.b = operands.random({rows, kHeads * dstate});
  o.c = operands.random({rows, kHeads * dstate});
  o.log_decay = operands.zeros({rows, kHeads});
  std::fill_n(o.log_decay.f32(), rows * kHeads, -0.1F);
  o.skip = operands.random({kHeads});
  return o;
}

void bench_ssd_step(benchmark::State& state) {
  const std::int64_t batch = state.range(0);
  const std::int64_t dstate = state.range(1);
  Context context;
  Operands operands;
  const SsdOperands o = recurrence(operands, batch, dstate);
  const TensorView y = operands.zeros({batch, kHeads * kDim});
  std::vector<TensorView> layers(6);  // whose states take turns
  for (TensorView& states : layers) states = operands.zeros({batch, kHeads * kDim * dstate});
  std::vector<std::int32_t> slots(static_cast<std::size_t>(batch));
  std::iota(slots.begin(), slots.end(), 0);
  std::size_t layer = 0;
  for (auto _ : state) ssd_step(context, o, layers[layer++ % layers.size()], slots, y);
  const auto elements = static_cast<double>(batch * kHeads * kDim * dstate);
  report(state, 5.0 * elements, 8.0 * elements);
}
BENCHMARK(bench_ssd_step)->ArgNames({"B", "N"})->ArgsProduct({{1, 64, 256}, {16, 32, 64}});

void bench_ssd_scan(benchmark::State& state) {
  const std::int64_t rows = state.range(0);
  const std::int64_t chunk = state.range(1);
  Context context;
  Operands operands;
  const SsdOperands o = recurrence(operands, rows, 32);
  const TensorView memory = operands.zeros({kHeads, kDim, 32});
  const TensorView y = operands.zeros({rows, kHeads * kDim});
  for (auto _ : state) ssd_scan(context, o, memory, chunk, y);
  report(state, static_cast<double>(rows * kHeads * (2 * chunk * (kDim + 32) + 4 * kDim * 32)), 0);
}
BENCHMARK(bench_ssd_scan)->ArgNames({"T", "chunk"})->ArgsProduct({{512}, {32, 64, 128}});

void bench_sample(benchmark::State& state) {
  const std::int64_t batch = state.range(0);
  const std::int64_t vocab = state.range(1);
  const SamplingRule rule{0.8F, static_cast<int>(state.range(2)),
                          static_cast<float>(state.range(3)) / 100.0F};
  Context context;
  Operands operands;
  const TensorView logits = operands.random({batch, vocab}, 8.0F);
  const std::vector<float> uniforms(static_cast<std::size_t>(batch), 0.4F);
  std::vector<std::int32_t> tokens(uniforms.size());
  std::vector<float> logprobs(uniforms.size());
  for (auto _ : state) sample(context, logits, vocab, rule, {.uniforms = uniforms}, tokens, logprobs);
  report(state, 0, 4.0 * static_cast<double>(batch * vocab));
}
BENCHMARK(bench_sample)
    ->ArgNames({"B", "V", "k", "p%"})
    ->ArgsProduct({{64}, {103}, {0}, {100, 95}})
    ->ArgsProduct({{1}, {128256}, {0, 50}, {100, 95}});

void bench_pointwise(benchmark::State& state, const std::function<void(Context&, TensorView, TensorView)>& op,
                     std::int64_t channels) {
  Context context;
  Operands operands;
  const TensorView x = operands.random({64, channels});
  const TensorView y = operands.random({64, channels});
  for (auto _ : state) op(context, x, y);
}
const std::vector<float> kFrequencies(kDim / 2, 0.1F);
const std::vector<std::int32_t> kPositions(64, 700);
TensorView ones(Shape shape) {
  static std::vector<float> values(64 * 128, 1.0F);
  return {values.data(), shape};
}
BENCHMARK_CAPTURE(
    bench_pointwise, rms_norm,
    [](Context& c, TensorView x, TensorView y) { rms_norm(c, x, ones({128}), 1e-5F, y); }, 128);
BENCHMARK_CAPTURE(
    bench_pointwise, gated_group_norm,
    [](Context& c, TensorView, TensorView y) {
      gated_group_norm(c, y, ones({64, 128}), ones({128}), kDim, 1e-5F);
    },
    128);
BENCHMARK_CAPTURE(
    bench_pointwise, swiglu, [](Context& c, TensorView x, TensorView y) { swiglu(c, x, x, y); }, 384);
BENCHMARK_CAPTURE(
    bench_pointwise, add, [](Context& c, TensorView x, TensorView y) { add(c, x, y); }, 128);
BENCHMARK_CAPTURE(
    bench_pointwise, rope,
    [](Context& c, TensorView x, TensorView) { rope(c, x, 6, kPositions, kFrequencies); }, 192);
BENCHMARK_CAPTURE(
    bench_pointwise, log_decay, [](Context& c, TensorView x, TensorView y) { discrete_log_decay(c, x, y); },
    4);

void bench_conv_step(benchmark::State& state) {
  constexpr std::int64_t kChannels = 384;
  Context context;
  Operands operands;
  const TensorView x = operands.random({64, kChannels});
  const TensorView y = operands.zeros({64, kChannels});
  const TensorView taps = operands.random({kChannels, 4});
  const TensorView windows = operands.zeros({64, 3 * kChannels});
  std::vector<std::int32_t> slots(64);
  std::iota(slots.begin(), slots.end(), 0);
  for (auto _ : state) causal_conv_step(context, x, taps, {}, ConvActivation::Silu, windows, slots, y);
  report(state, 0, static_cast<double>(64 * kChannels * 4 * 8));
}
BENCHMARK(bench_conv_step);

// Threads that take all they can get while they are told to.
class BusyThreads {
 public:
  explicit BusyThreads(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) threads_.emplace_back([this] { work(); });
  }
  ~BusyThreads() {
    set(State::Stop);
    for (auto& thread : threads_) thread.join();
  }
  void start() { set(State::Work); }
  void pause() { set(State::Pause); }

 private:
  enum class State { Pause, Work, Stop };
  void set(State state) {
    state_ = state;
    state_.notify_all();
  }
  void work() {
    while (state_ != State::Stop) {
      state_.wait(State::Pause);
      while (state_.load(std::memory_order_relaxed) == State::Work) {
      }
    }
  }
  std::atomic<State> state_{State::Pause};
  std::vector<std::thread> threads_;
};

// A loop on a thread per core, alone and beside busy threads, in turns. Fair sharing among (cores + busy)
// threads gives it cores / (cores + busy) of its speed; `slower_than_fair` is what it loses beyond that.
void bench_pool_beside_busy(benchmark::State& state) {
  const auto cores = std::max(1U, std::thread::hardware_concurrency());
  ThreadPool pool(static_cast<int>(cores));
  const auto run_s = [&] {
    const auto start = std::chrono::steady_clock::now();
    for (int repeat = 0; repeat < 10; ++repeat) {
      pool.parallel_for(32 * cores, 1, [](std::int64_t begin, std::int64_t) {
        double sum = 0;
        for (int i = 0; i < 20000; ++i) benchmark::DoNotOptimize(sum += static_cast<double>(i ^ begin));
      });
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  BusyThreads busy(state.range(0));
  double alone_s = 0;
  double beside_s = 0;
  for (auto _ : state) {
    alone_s += run_s();
    busy.start();
    beside_s += run_s();
    busy.pause();
  }
  const double fair = (static_cast<double>(state.range(0)) + cores) / cores;
  state.counters["slower_than_fair"] = beside_s / (alone_s * fair);
}
BENCHMARK(bench_pool_beside_busy)->ArgName("busy")->Arg(1)->Arg(2)->Arg(4)->UseRealTime()->Iterations(30);

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("peak_gflop_per_s", std::to_string(peak_flops() * 1e-9));
  benchmark::AddCustomContext("peak_gbyte_per_s", std::to_string(peak_bytes() * 1e-9));
  benchmark::RunSpecifiedBenchmarks();
}
