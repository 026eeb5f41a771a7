// The decode benchmark: the bars of design.md section 6 over a batch sweep, with the roofline measured in the
// same run, on the same threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/jobs/roofline.h"
#include "core/models/model.h"

namespace tandem {

struct BenchOptions {
  std::int64_t prompt_tokens = 512;
  std::int64_t generated_tokens = 64;  // decode steps timed per repeat, after the warm-up
  std::vector<int> batches = {1, 2, 4, 8, 16, 32, 64};
  int threads = 1;
  int repeats = 5;  // interleaved over all bars; median and range are reported
  std::uint64_t seed = 0;
  StateStorage storage;  // of caches and states, on a device
};

/// What is measured unless asked otherwise: on the CPU, what small models do in a minute; on a device,
/// batches up to 1024 of long completions.
BenchOptions default_bench_options(const Device* device);

/// What one decode step of a batch must do at least, counted from the model's sizes. Left out as small beside
/// the rest: norms, rotations, short convolutions, sampling, and activations, which stay near the core.
struct DecodeCost {
  double flops = 0;              // whole step; a multiply and an add count 2
  double bytes = 0;              // weights once, caches read, new entries written, states read and written
  double working_set_bytes = 0;  // what the next step reads again
};

/// How the completions of one batch hold what they remember.
struct DecodeLoad {
  std::int64_t batch = 1;
  double prompt = 0;            // tokens
  double generated = 0;         // tokens of each completion, the one this step reads included
  bool private_prefix = false;  // every completion has its own copy of the prompt's keys and values
  StateStorage storage{};
};

/// @param weights type that the model's matrices are packed in.
DecodeCost decode_cost(const ModelInfo& model, DType weights, const DecodeLoad& load);

struct BenchBar {
  std::string model;
  std::string variant;  // "shared prefix", "private prefix", "recurrent", "hybrid, shared prefix"; and the
                        // last two with ", replayed state writes"
  int batch = 0;
  double tokens_per_s = 0;  // median over repeats; prefill apart
  double tokens_per_s_min = 0;
  double tokens_per_s_max = 0;
  double step_p50_s = 0;  // of all timed steps: what one completion waits for its next token
  double step_p95_s = 0;
  double prefill_s = 0;      // of the prompt, median
  double first_token_s = 0;  // prefill, starting the batch, and the first sampled tokens; median
  double processor_share =
      0;  // of the timed seconds, those on a core; below 1: other programs took it. 0 on a device
  double flops_per_token = 0;
  double bytes_per_step = 0;
  double working_set_bytes = 0;
  double roofline_tokens_per_s = 0;  // the least of what arithmetic and bandwidth allow
  double roofline_share = 0;         // tokens_per_s / roofline_tokens_per_s
  std::string bound;                 // "arithmetic" or "bandwidth": which of them is the least
  std::int64_t weight_bytes = 0;
  std::int64_t cache_bytes = 0;  // keys and values, or states, at the end of a repeat
  std::int64_t memory_bytes =
      0;                // planned: the model, its completions at their longest and what computing takes
  std::string skipped;  // why it was not run (memory), in words; no number is measured then
};

/// What a model takes and how many of its completions there is room for, planned from sizes.
struct BenchFit {
  std::string model;
  std::string variant;          // as in BenchBar
  bool random_weights = false;  // in the shape that the model's name says
  std::string weights;          // type that the matrices are packed in: "f32" or "bf16"
  std::int64_t parameters = 0;
  std::int64_t model_bytes = 0;   // all weights in memory
  std::int64_t prompt_bytes = 0;  // caches and states of the prompt, held once
  std::int64_t completion_bytes =
      0;                        // of each completion at its longest, its logits and activations included
  std::int64_t free_bytes = 0;  // beside all models of the sitting; 0 when the system does not say
  std::int64_t largest_batch =
      0;  // that fits into kUsableMemory of these, counted up to 2^20; 0: not even one
};
/// Share of the free memory that a batch may plan to take: activations are an estimate, and other programs
/// grow.
inline constexpr double kUsableMemory = 0.9;

/// Keys, values and states as contexts grow, read from the engine while it decodes: of one completion by
/// itself (variant "one completion"), and of the largest batch with its shared prompt.
struct MemoryPoint {
  std::string model;
  std::string variant;
  int batch = 0;
  std::int64_t context = 0;  // prompt + generated tokens of each completion
  std::int64_t bytes = 0;
};

struct BenchReport {
  std::string device;
  std::string version;
  std::string date_utc;  // ISO 8601
  BenchOptions options;
  Roofline roofline;
  std::vector<BenchBar> bars;  // by model, variant, batch, in the order asked for
  std::vector<BenchFit> fits;  // by model and variant
  std::vector<MemoryPoint> memory;
  bool complete = false;  // false: stopped early, with the repeats it had
};

using BenchProgress = std::function<void(int done, int total, const std::string& what)>;

/// One process, one sitting: prompts of random tokens, every bar once per repeat, the order of bars rotating.
/// A pure-attention model gives two bars a batch (private and shared prefix), any other gives one, and on a
/// device one more where its states' writes can be replayed. Batches
/// that do not fit the memory are skipped. A stop keeps what was measured.
/// @param earlier a report by the same device and options, when models do not fit together: the bars of a
/// further sitting are added to it, and its roofline serves.
/// Errors: InvalidArgument (no model, batch, threads, repeats or tokens < 1), OutOfRange (prompt and
/// generated tokens beyond a model's context), Cancelled (stopped before anything was measured).
Result<BenchReport> bench(std::span<const std::shared_ptr<const Model>> models, const BenchOptions& options,
                          const BenchProgress& progress = {}, const std::stop_token& stop = {},
                          BenchReport earlier = {});

std::string to_json(const BenchReport& report);
/// Errors: BadFormat, naming the field.
Result<BenchReport> bench_report_from_json(const std::string& json);

}  // namespace tandem
