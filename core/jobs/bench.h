// The decode benchmark: four bars of design.md section 6 over a batch sweep, with the roofline measured in
// the same run.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/models/model.h"

namespace tandem {

struct BenchOptions {
  std::int64_t prompt_tokens = 512;
  std::int64_t generated_tokens = 64;  // decode steps timed per repeat, after one warm-up
  std::vector<int> batches = {1, 2, 4, 8, 16, 32, 64};
  int threads = 1;
  int repeats = 5;  // interleaved over all bars; median and range are reported
  std::uint64_t seed = 0;
};

/// Measured in the run, on the same threads: a copy larger than the last-level cache, and an f32 product from
/// cached memory.
struct Roofline {
  double copy_bytes_per_s = 0;
  double cached_bytes_per_s =
      0;  // reads that stay in the last-level cache: weights of small models live there
  double flops_per_s = 0;
};

struct BenchBar {
  std::string model;
  std::string variant;  // "shared prefix", "private prefix", "recurrent"
  int batch = 0;
  double tokens_per_s = 0;  // median over repeats
  double tokens_per_s_min = 0;
  double tokens_per_s_max = 0;
  double prefill_s = 0;  // of the prompt, apart
  double flops_per_token = 0;
  double bytes_per_step = 0;         // weights once, caches or states read and written
  double working_set_bytes = 0;      // decides which bandwidth bounds it
  double roofline_tokens_per_s = 0;  // min of the arithmetic and the bandwidth bound
  double roofline_share = 0;         // tokens_per_s / roofline_tokens_per_s
  std::string bound;                 // "arithmetic" or "bandwidth"
  std::int64_t cache_bytes = 0;      // KV or state bytes at the end
};

struct BenchReport {
  std::string device;
  std::string version;
  std::string date_utc;
  BenchOptions options;
  Roofline roofline;
  std::vector<BenchBar> bars;
};

using BenchProgress = std::function<void(int done, int total, const std::string& what)>;

/// Errors: InvalidArgument (no model, batch < 1), those of prefill. A stop keeps what was measured.
Result<BenchReport> bench(std::span<const std::shared_ptr<const Model>> models, const BenchOptions& options,
                          const BenchProgress& progress = {}, std::stop_token stop = {});

std::string to_json(const BenchReport& report);
Result<BenchReport> bench_report_from_json(const std::string& json);

}  // namespace tandem
