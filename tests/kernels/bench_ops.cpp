// Time of each op at the sizes of the bundled models, beside what this machine's arithmetic and memory allow:
// `share` is the least possible time, by the larger of the two, over the time taken. Peaks are measured when
// the program starts. One thread unless the name says otherwise.
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
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
#include "tests/kernels/op_test.h"

using namespace tandem;
using test::Array;

namespace {

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
    Array w = Array::random(Shape{256, 256}, 1);
    const PackedMatrix packed = PackedMatrix::pack(context, w, DType::F32);
    Array x = Array::random(Shape{128, 256}, 2);
    Array y(Shape{128, 256});
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
  Array w = Array::random(Shape{out, in}, 1);
  const PackedMatrix packed = PackedMatrix::pack(context, w, type);
  Array x = Array::random(Shape{rows, in}, 2);
  Array y(Shape{rows, out});
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
  Array keys, values, q, out;
  std::vector<Array> caches;
  std::vector<SuffixCache> suffixes;

  Decoding(std::int64_t batch, std::int64_t prompt, std::int64_t own)
      : keys(Array::random(Shape{kHeadsKv, prompt, kDim}, 1)),
        values(Array::random(Shape{kHeadsKv, prompt, kDim}, 2)),
        q(Array::random(Shape{batch, kHeads * kDim}, 3)),
        out(Shape{batch, kHeads * kDim}) {
    for (std::int64_t b = 0; b < batch; ++b) {
      caches.push_back(Array::random(Shape{kHeadsKv, 512, kDim}, 4));
      caches.push_back(Array::random(Shape{kHeadsKv, 512, kDim}, 5));
      suffixes.push_back({caches[caches.size() - 2].data().data(), caches.back().data().data(), 512, own});
    }
  }
  void run(Context& context) {
    decode_attention(context, q, {keys, values}, suffixes, kHeads, kHeadsKv, 0.18F, out);
  }
};

void bench_decode_attention(benchmark::State& state) {
  const std::int64_t batch = state.range(0);
  const std::int64_t prompt = state.range(1);
  const std::int64_t own = state.range(2);
  Context context(static_cast<int>(state.range(3)));
  // Several layers' worth, so that the private caches come from where they come from in a model.
  std::vector<Decoding> layers;
  for (int i = 0; i < 6; ++i) layers.emplace_back(batch, prompt, own);
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
  Array q = Array::random(Shape{rows, kHeads * kDim}, 1);
  Array k = Array::random(Shape{rows, kHeadsKv * kDim}, 2);
  Array v = Array::random(Shape{rows, kHeadsKv * kDim}, 3);
  Array out(Shape{rows, kHeads * kDim});
  for (auto _ : state) causal_attention(context, q, k, v, kHeads, kHeadsKv, 0.18F, out);
  report(state, 2.0 * static_cast<double>(rows * (rows + 1) * kHeads * kDim), 0);
}
BENCHMARK(bench_causal_attention)->Arg(64)->Arg(512);

struct Recurrence {
  std::int64_t rows, headdim, dstate;
  Array x, b, c, log_decay, skip, y;
  SsdOperands operands;
  std::vector<Array> memory;
  std::vector<float*> states;

  Recurrence(std::int64_t rows_, std::int64_t headdim_, std::int64_t dstate_)
      : rows(rows_),
        headdim(headdim_),
        dstate(dstate_),
        x(Array::random(Shape{rows, kHeads * headdim}, 1)),
        b(Array::random(Shape{rows, kHeads * dstate}, 2)),
        c(Array::random(Shape{rows, kHeads * dstate}, 3)),
        log_decay(Shape{rows, kHeads}, -0.1F),
        skip(Array::random(Shape{kHeads}, 5)),
        y(Shape{rows, kHeads * headdim}) {
    operands = {kHeads, headdim, dstate, kHeads, kHeads, kHeads, x, b, c, log_decay, {}, skip};
  }
  Recurrence(const Recurrence&) = delete;
};

void bench_ssd_step(benchmark::State& state) {
  Context context;
  Recurrence r(state.range(0), 32, state.range(1));
  // The states of six layers take turns.
  constexpr std::size_t kLayers = 6;
  std::vector<std::vector<float*>> states(kLayers);
  for (auto& layer : states) {
    for (std::int64_t i = 0; i < r.rows; ++i) {
      r.memory.emplace_back(Shape{kHeads, r.headdim, r.dstate});
      layer.push_back(r.memory.back().data().data());
    }
  }
  std::size_t layer = 0;
  for (auto _ : state) ssd_step(context, r.operands, states[layer++ % kLayers], r.y);
  const double elements = static_cast<double>(r.rows * kHeads * r.headdim * r.dstate);
  report(state, 5.0 * elements, 8.0 * elements);
}
BENCHMARK(bench_ssd_step)->ArgNames({"B", "N"})->ArgsProduct({{1, 64, 256}, {16, 32, 64}});

void bench_ssd_scan(benchmark::State& state) {
  Context context;
  Recurrence r(state.range(0), 32, 32);
  Array memory(Shape{kHeads, 32, 32});
  const std::int64_t chunk = state.range(1);
  for (auto _ : state) ssd_scan(context, r.operands, memory, chunk, r.y);
  report(state, static_cast<double>(r.rows * kHeads * (2 * chunk * (32 + 32) + 4 * 32 * 32)), 0);
}
BENCHMARK(bench_ssd_scan)->ArgNames({"T", "chunk"})->ArgsProduct({{512}, {32, 64, 128}});

void bench_sample(benchmark::State& state) {
  const std::int64_t batch = state.range(0);
  const std::int64_t vocab = state.range(1);
  const SamplingRule rule{0.8F, static_cast<int>(state.range(2)),
                          static_cast<float>(state.range(3)) / 100.0F};
  Context context;
  Array logits = Array::random(Shape{batch, vocab}, 1, 3.0F);
  const std::vector<float> uniforms(static_cast<std::size_t>(batch), 0.4F);
  std::vector<std::int32_t> tokens(uniforms.size());
  std::vector<float> logprobs(uniforms.size());
  for (auto _ : state) sample(context, logits, vocab, rule, uniforms, tokens, logprobs);
  report(state, 0, 4.0 * static_cast<double>(batch * vocab));
}
BENCHMARK(bench_sample)
    ->ArgNames({"B", "V", "k", "p%"})
    ->ArgsProduct({{64}, {103}, {0}, {100, 95}})
    ->ArgsProduct({{1}, {128256}, {0, 50}, {100, 95}});

// Ops whose cost is their traffic: [64, C] in and out.
void bench_pointwise(benchmark::State& state, const std::function<void(Context&, Array&, Array&)>& op,
                     std::int64_t channels) {
  Context context;
  Array x = Array::random(Shape{64, channels}, 1);
  Array y = Array::random(Shape{64, channels}, 2);
  for (auto _ : state) op(context, x, y);
  report(state, 0, 0);
}
std::vector<float> frequencies(kDim / 2, 0.1F);
std::vector<std::int32_t> positions(64, 700);
Array weight(Shape{512}, 1.0F);
BENCHMARK_CAPTURE(
    bench_pointwise, rms_norm_128,
    [](Context& c, Array& x, Array& y) { rms_norm(c, x, weight.view().rows(0, 128), 1e-5F, y); }, 128);
BENCHMARK_CAPTURE(
    bench_pointwise, swiglu_384, [](Context& c, Array& x, Array& y) { swiglu(c, x, y, y); }, 384);
BENCHMARK_CAPTURE(
    bench_pointwise, add_128, [](Context& c, Array& x, Array& y) { add(c, x, y); }, 128);
BENCHMARK_CAPTURE(
    bench_pointwise, rope_192, [](Context& c, Array& x, Array&) { rope(c, x, 6, positions, frequencies); },
    192);
BENCHMARK_CAPTURE(
    bench_pointwise, log_decay_4, [](Context& c, Array& x, Array& y) { discrete_log_decay(c, x, y); }, 4);

void bench_conv_step(benchmark::State& state) {
  Context context;
  const std::int64_t channels = 384;
  Array x = Array::random(Shape{64, channels}, 1);
  Array y(Shape{64, channels});
  Array taps = Array::random(Shape{channels, 4}, 2);
  std::vector<Array> memory;
  std::vector<float*> windows;
  for (int i = 0; i < 64; ++i) {
    memory.emplace_back(Shape{3, channels});
    windows.push_back(memory.back().data().data());
  }
  for (auto _ : state) causal_conv_step(context, x, taps, {}, ConvActivation::Silu, windows, y);
  report(state, 0, static_cast<double>(64 * channels * 4 * 8));
}
BENCHMARK(bench_conv_step);

// A loop of two threads, alone and beside one busy thread per core. Fair sharing gives us half of each core,
// so `slowdown` (against the loop alone, measured first) should be near 2.
void bench_pool_beside_busy(benchmark::State& state) {
  Context context(2);
  std::atomic<std::int64_t> sink{0};
  const auto loop = [&] {
    context.pool().parallel_for(64, 1, [&](std::int64_t begin, std::int64_t) {
      double sum = 0;
      for (int i = 0; i < 20000; ++i) sum += static_cast<double>(i ^ begin);
      sink += static_cast<std::int64_t>(sum);
    });
  };
  const double alone = seconds_of(loop);
  std::atomic<bool> stop{false};
  std::vector<std::thread> busy;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    busy.emplace_back([&] {
      while (!stop.load(std::memory_order_relaxed)) benchmark::DoNotOptimize(stop);
    });
  }
  for (auto _ : state) loop();
  stop = true;
  for (auto& thread : busy) thread.join();
  state.counters["slowdown"] =
      benchmark::Counter(alone, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(bench_pool_beside_busy)->ArgName("busy")->Arg(0)->Arg(1)->Arg(2)->UseRealTime()->MinTime(2);

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("peak_gflop_per_s", std::to_string(peak_flops() * 1e-9));
  benchmark::AddCustomContext("peak_gbyte_per_s", std::to_string(peak_bytes() * 1e-9));
  benchmark::RunSpecifiedBenchmarks();
}
