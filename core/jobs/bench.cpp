#include "core/jobs/bench.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <new>
#include <numeric>

#include <fmt/format.h>

#include "core/base/provenance.h"
#include "core/devices/devices.h"
#include "core/generation/batch_decoder.h"
#include "core/models/memory_plan.h"
#include "core/models/weights.h"
#include "kernels/base/philox.h"

namespace tandem {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kOneCompletion = "one completion";

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

/// Processor seconds of this thread so far.
double thread_processor_s() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Percentile q in [0, 1] of values, linear between neighbours; 0 when there are none.
double percentile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double position = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (position - static_cast<double>(below)) * (values[above] - values[below]);
}

/// One bar, and what its repeats measured.
struct Case {
  const Model* model = nullptr;
  std::string variant;
  StateShape shape;
  bool watched = false;  // whose memory is read as it grows
  std::string skipped;
  std::int64_t cache_bytes = 0;
  std::vector<double> tokens_per_s, steps_s, prefill_s, first_token_s, processor_share;

  std::string label() const {
    return fmt::format("{}, {}, batch {}", model->info().name, variant, shape.batch);
  }
};

constexpr int kWarmUpSteps = 3;  // on a device the third is recorded, and repeated from then on

std::int64_t steps_per_repeat(const BenchOptions& options) {
  return options.generated_tokens + kWarmUpSteps;
}

DType weight_type(const Model& model) {
  return model.weights().head.dtype();
}

/// Steps between writes of a state where they are replayed: about the fewest bytes for heads of 64 x 64,
/// whose inputs take a thirtieth of the state.
constexpr int kWriteEvery = 8;

/// How the completions of a model may hold what they remember.
struct Variant {
  std::string name;
  StateShape shape;
};
std::vector<Variant> variants_of(const Model& model, const StateShape& shape) {
  const ModelInfo& info = model.info();
  if (info.is_pure_attention()) {
    StateShape separate = shape;
    separate.private_prefix = true;
    return {{"private prefix", separate}, {"shared prefix", shape}};
  }
  std::vector<Variant> variants = {
      {info.cache_bytes_per_token() > 0 ? "hybrid, shared prefix" : "recurrent", shape}};
  const bool replays = std::any_of(info.layers.begin(), info.layers.end(),
                                   [](const LayerInfo& layer) { return layer.replay_bytes > 0; });
  if (replays && model.device() != nullptr) {
    variants.push_back({variants.front().name + ", replayed state writes", shape});
    variants.back().shape.storage.write_every = kWriteEvery;
  }
  return variants;
}

BenchFit fit_of(const Model& measured, const Variant& variant, std::int64_t free_bytes,
                std::int64_t usable_bytes) {
  const ModelInfo& model = measured.info();
  constexpr std::int64_t kMany = 1 << 20;
  const auto plan = [&](std::int64_t batch) {
    StateShape shape = variant.shape;
    shape.batch = batch;
    return plan_memory(model, shape);
  };
  StateShape many = variant.shape;
  many.batch = kMany;
  return {.model = model.name,
          .variant = variant.name,
          .random_weights = model.random_weights,
          .weights = weight_type(measured) == DType::BF16 ? "bf16" : "f32",
          .parameters = model.parameters,
          .model_bytes = model.memory_bytes,
          .prompt_bytes = plan(1).prompt,
          .completion_bytes = (plan(kMany).running() - plan(kMany / 2).running()) / (kMany / 2),
          .free_bytes = free_bytes,
          .largest_batch = free_bytes > 0 ? largest_batch(model, many, usable_bytes) : 0};
}

std::string too_large(const ModelInfo& model, const StateShape& shape, const BenchFit& fit) {
  const auto gib = [](std::int64_t bytes) { return static_cast<double>(bytes) / 0x1p30; };
  return fmt::format("needs {:.1f} GiB beside the model, {:.1f} GiB are free: {} fit",
                     gib(plan_memory(model, shape).running()), gib(fit.free_bytes), fit.largest_batch);
}

/// All bars of the models, and in `fits` what they need.
std::vector<Case> list_cases(std::span<const std::shared_ptr<const Model>> models,
                             const BenchOptions& options, std::vector<BenchFit>& fits) {
  const std::int64_t free_bytes = available_memory(models.front()->device());
  const auto usable_bytes = static_cast<std::int64_t>(kUsableMemory * static_cast<double>(free_bytes));
  std::vector<Case> cases;
  for (const auto& model : models)
    for (const Variant& variant : variants_of(*model, {.prompt_tokens = options.prompt_tokens,
                                                      .new_tokens = steps_per_repeat(options),
                                                      .storage = options.storage})) {
      fits.push_back(fit_of(*model, variant, free_bytes, usable_bytes));
      int widest = 0;  // of those that fit
      const std::size_t first = cases.size();
      for (const int batch : options.batches) {
        Case& bar = cases.emplace_back();
        bar.model = model.get();
        bar.variant = variant.name;
        bar.shape = variant.shape;
        bar.shape.batch = batch;
        if (free_bytes > 0 && batch > fits.back().largest_batch)
          bar.skipped = too_large(model->info(), bar.shape, fits.back());
        else
          widest = std::max(widest, batch);
      }
      for (std::size_t i = first; i < cases.size(); ++i)
        cases[i].watched = cases[i].shape.batch == widest && !variant.shape.private_prefix;
    }
  return cases;
}

/// One sitting: contexts, prompts and buffers that all repeats share.
class Sitting {
 public:
  Sitting(const BenchOptions& options, BenchReport& report, Device* device)
      : options_(options), report_(report), context_(options.threads, device) {}

  Context& context() { return context_; }

  /// Prefill, warm-up steps, then the timed steps. With `watch`, memory is read as the caches grow.
  void run(Case& bar, bool watch) {
    const Model& model = *bar.model;
    std::vector<std::int32_t> slots(static_cast<std::size_t>(bar.shape.batch));
    std::iota(slots.begin(), slots.end(), 0);
    BatchDecoder decoder(model, context_, bar.shape, {}, {options_.seed, 1});
    const std::vector<std::int32_t> prompt = random_prompt(model, options_.prompt_tokens);

    const auto start = Clock::now();
    decoder.prefill(prompt);
    bar.prefill_s.push_back(seconds_between(start, Clock::now()));
    for (const std::int32_t slot : slots) decoder.start(slot, slot);
    decoder.step(slots);
    decoder.collect();
    bar.first_token_s.push_back(seconds_between(start, Clock::now()));
    for (int i = 0; i < kWarmUpSteps; ++i) {
      decoder.step(slots);
      decoder.collect();
    }

    const double processor_before = thread_processor_s();
    const auto first = Clock::now();
    auto before = first;
    std::int64_t given = 0;
    for (std::int64_t done = 0; done < options_.generated_tokens;) {
      if (given < options_.generated_tokens && !decoder.is_full()) {
        decoder.step(slots);
        ++given;
        if (watch)
          note_memory(bar, options_.prompt_tokens + kWarmUpSteps + given, decoder.bytes_in_use(slots));
        continue;
      }
      decoder.collect();
      ++done;
      const auto now = Clock::now();
      bar.steps_s.push_back(seconds_between(before, now));
      before = now;
    }
    if (context_.device() == nullptr)
      bar.processor_share.push_back((thread_processor_s() - processor_before) /
                                    seconds_between(first, before));
    bar.tokens_per_s.push_back(static_cast<double>(bar.shape.batch) *
                               static_cast<double>(options_.generated_tokens) /
                               seconds_between(first, before));
    bar.cache_bytes = decoder.bytes_in_use(slots);
  }

  /// Memory that one completion holds by itself, prompt included, as its context grows.
  void watch_one(const Model& model) {
    constexpr std::array<std::int32_t, 1> kSlot = {0};
    Case bar;
    bar.model = &model;
    bar.variant = kOneCompletion;
    bar.shape.batch = 1;
    for (std::int64_t tokens = 8; tokens <= options_.prompt_tokens; tokens *= 2) {
      BatchDecoder decoder(model, context_,
                           {tokens, 1, steps_per_repeat(options_), /*private_prefix=*/true, options_.storage},
                           {}, {options_.seed, 1});
      decoder.prefill(random_prompt(model, tokens));
      decoder.start(0, 0);
      const std::int64_t prompt_copy = decoder.bytes_in_use({});
      note_memory(bar, tokens, decoder.bytes_in_use(kSlot) - prompt_copy);
      if (2 * tokens <= options_.prompt_tokens) continue;
      for (std::int64_t i = 0; i <= options_.generated_tokens; ++i) {
        decoder.step(kSlot);
        decoder.collect();
        if (i > 0) note_memory(bar, tokens + i, decoder.bytes_in_use(kSlot) - prompt_copy);
      }
    }
  }

 private:
  /// Ids that are uniform over the vocabulary, the same for every model of that vocabulary.
  std::vector<std::int32_t> random_prompt(const Model& model, std::int64_t tokens) const {
    std::vector<std::int32_t> ids;
    const auto vocab = static_cast<float>(model.vocab_size());
    for (std::int64_t i = 0; i < tokens; ++i)
      ids.push_back(static_cast<std::int32_t>(
          vocab * completion_uniform(options_.seed, 0, 0, static_cast<std::uint32_t>(i))));
    return ids;
  }

  void note_memory(const Case& bar, std::int64_t context, std::int64_t bytes) {
    report_.memory.push_back(
        {bar.model->info().name, bar.variant, static_cast<int>(bar.shape.batch), context, bytes});
  }

  const BenchOptions& options_;
  BenchReport& report_;
  Context context_;
};

/// What the memory did not allow, in words; empty when `body` ran to its end.
std::string out_of_memory(const std::function<void()>& body) {
  try {
    body();
  } catch (const std::bad_alloc&) {
    return "ran out of memory";
  } catch (const DeviceMemoryError& error) {
    return error.what();
  }
  return {};
}

/// Bytes of weights that a decode step reads.
std::int64_t read_bytes(const ModelInfo& model, std::int64_t batch) {
  return batch == 1 && model.single_bytes > 0 ? model.single_bytes : model.weight_bytes;
}

BenchBar summarise(const Case& measured, const BenchOptions& options, const Roofline& roofline) {
  BenchBar bar;
  bar.model = measured.model->info().name;
  bar.variant = measured.variant;
  bar.batch = static_cast<int>(measured.shape.batch);
  bar.weight_bytes = read_bytes(measured.model->info(), measured.shape.batch);
  bar.memory_bytes =
      measured.model->info().memory_bytes + plan_memory(measured.model->info(), measured.shape).running();
  bar.skipped = measured.skipped;
  if (!bar.skipped.empty()) return bar;
  bar.tokens_per_s = percentile(measured.tokens_per_s, 0.5);
  bar.tokens_per_s_min = percentile(measured.tokens_per_s, 0);
  bar.tokens_per_s_max = percentile(measured.tokens_per_s, 1);
  bar.step_p50_s = percentile(measured.steps_s, 0.5);
  bar.step_p95_s = percentile(measured.steps_s, 0.95);
  bar.prefill_s = percentile(measured.prefill_s, 0.5);
  bar.first_token_s = percentile(measured.first_token_s, 0.5);
  bar.processor_share = percentile(measured.processor_share, 0.5);
  bar.cache_bytes = measured.cache_bytes;

  // The mean timed step reads the warm-up's tokens and half of the timed ones.
  const DecodeCost cost =
      decode_cost(measured.model->info(), weight_type(*measured.model),
                  {.batch = measured.shape.batch,
                   .prompt = static_cast<double>(options.prompt_tokens),
                   .generated = kWarmUpSteps + (static_cast<double>(options.generated_tokens) + 1) / 2,
                   .private_prefix = measured.shape.private_prefix,
                   .storage = measured.shape.storage});
  const auto batch = static_cast<double>(measured.shape.batch);
  bar.flops_per_token = cost.flops / batch;
  bar.bytes_per_step = cost.bytes;
  bar.working_set_bytes = cost.working_set_bytes;
  // With bf16 weights attention still runs in f32: the faster rate for all of it keeps the ceiling a ceiling.
  const double arithmetic_s =
      cost.flops / std::max(roofline.flops_per_s,
                            weight_type(*measured.model) == DType::BF16 ? roofline.bf16_flops_per_s : 0);
  const double transfer_s = roofline.transfer_s(cost.bytes, cost.working_set_bytes);
  bar.bound = arithmetic_s > transfer_s ? "arithmetic" : "bandwidth";
  bar.roofline_tokens_per_s = batch / std::max(arithmetic_s, transfer_s);
  bar.roofline_share = bar.tokens_per_s / bar.roofline_tokens_per_s;
  return bar;
}

Status validate(std::span<const std::shared_ptr<const Model>> models, const BenchOptions& options) {
  const auto invalid = [](std::string message) {
    return Error{ErrorCode::InvalidArgument, std::move(message)};
  };
  if (models.empty()) return invalid("A benchmark needs at least one model.");
  if (options.batches.empty()) return invalid("A benchmark needs at least one batch size.");
  for (const int batch : options.batches)
    if (batch < 1) return invalid(fmt::format("Batch sizes start at 1, found {}.", batch));
  if (options.prompt_tokens < 1 || options.generated_tokens < 1)
    return invalid(fmt::format("Prompt and generated tokens start at 1, found {} and {}.",
                               options.prompt_tokens, options.generated_tokens));
  if (options.threads < 1 || options.repeats < 1)
    return invalid(
        fmt::format("Threads and repeats start at 1, found {} and {}.", options.threads, options.repeats));
  const std::int64_t context = options.prompt_tokens + steps_per_repeat(options);
  for (const auto& model : models) {
    TANDEM_RETURN_IF_ERROR(check_writes(model->info()));
    TANDEM_RETURN_IF_ERROR(check_storage(options.storage, model->device()));
    if (model->device() != models.front()->device())
      return invalid("The models of a benchmark are on one device, these are on several.");
    if (const std::int64_t limit = model->info().max_context; limit > 0 && context > limit)
      return Error{
          ErrorCode::OutOfRange,
          fmt::format("{} reads at most {} tokens; the benchmark needs {} (prompt {}, warm-up {}, timed {}).",
                      model->info().name, limit, context, options.prompt_tokens, kWarmUpSteps,
                      options.generated_tokens)};
  }
  return {};
}

}  // namespace

BenchOptions default_bench_options(const Device* device) {
  BenchOptions options;
  if (device == nullptr) return options;
  options.generated_tokens = 512 - kWarmUpSteps;  // with the prompt all that the bundled models read
  options.batches = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
  options.repeats = 3;
  return options;
}

namespace {

/// Bytes of states that a step of one completion moves, the mean over the steps between writes: a state is
/// read every time and written once, the ring of inputs is read as far as it is filled, and added to until
/// the state is written.
double state_traffic(const ModelInfo& model, const StateStorage& storage) {
  double bytes = 0;
  for (const LayerInfo& layer : model.layers) {
    const auto entries = static_cast<double>(layer.nheads * layer.headdim * layer.dstate);
    const double window = static_cast<double>(layer.state_bytes) - 4 * entries;
    const double state = entries * static_cast<double>(element_bytes(storage.states));
    const double steps = layer.replay_bytes > 0 ? storage.write_every : 1;
    const double ring = static_cast<double>(layer.replay_bytes) * ((steps - 1) / 2 + (steps - 1) / steps);
    bytes += 2 * window + state * (1 + 1 / steps) + ring;
  }
  return bytes;
}

}  // namespace

DecodeCost decode_cost(const ModelInfo& model, DType weights, const DecodeLoad& load) {
  const auto batch = static_cast<double>(load.batch);
  const auto weight_bytes = static_cast<double>(read_bytes(model, load.batch));
  const auto packed_bytes = static_cast<double>(model.weight_bytes);
  double flops = 2 * std::min(packed_bytes / static_cast<double>(element_bytes(weights)),  // packing may pad
                              static_cast<double>(model.parameters));
  for (const LayerInfo& layer : model.layers) {
    const auto width = static_cast<double>(layer.nheads * layer.headdim);
    if (is_recurrent(layer.mixer)) {
      flops += 5 * width * static_cast<double>(layer.dstate);  // s = a s + x B^T (3), y = s C (2)
    } else {
      flops += 4 * width * (load.prompt + load.generated);  // scores, and the mean of values
    }
  }
  const auto token_bytes = static_cast<double>(model.cache_bytes_per_token(load.storage));
  const double prompts = load.private_prefix ? batch : 1;
  const double caches = token_bytes * (prompts * load.prompt + batch * load.generated);
  const double states = batch * static_cast<double>(model.state_bytes(load.storage));
  return {.flops = batch * flops,
          .bytes = weight_bytes + caches + batch * token_bytes + batch * state_traffic(model, load.storage),
          .working_set_bytes = weight_bytes + caches + states};
}

Result<BenchReport> bench(std::span<const std::shared_ptr<const Model>> models, const BenchOptions& options,
                          const BenchProgress& progress, const std::stop_token& stop, BenchReport earlier) {
  TANDEM_RETURN_IF_ERROR(validate(models, options));
  BenchReport report = std::move(earlier);
  if (report.bars.empty()) {
    report.device = device_name(models.front()->device(), options.threads);
    report.version = tandem_version();
    report.date_utc = utc_now();
    report.options = options;
  }
  std::vector<Case> cases = list_cases(models, options, report.fits);
  const int total = 1 + options.repeats * static_cast<int>(cases.size());
  int done = 0;
  const auto tell = [&](const std::string& what) {
    if (progress) progress(done, total, what);
  };

  Sitting sitting(options, report, models.front()->device());
  tell("roofline and memory of one completion");
  const bool with_bf16 = std::any_of(models.begin(), models.end(),
                                     [](const auto& model) { return weight_type(*model) == DType::BF16; });
  if (report.roofline.flops_per_s == 0 || (with_bf16 && report.roofline.bf16_flops_per_s == 0))
    report.roofline = measure_roofline(sitting.context(), with_bf16, stop);
  for (const auto& model : models)
    if (!stop.stop_requested()) out_of_memory([&] { sitting.watch_one(*model); });
  ++done;
  for (int repeat = 0; repeat < options.repeats; ++repeat) {
    // The order rotates, so that heat and clock drift do not favour a bar.
    for (std::size_t i = 0; i < cases.size() && !stop.stop_requested(); ++i, ++done) {
      Case& bar = cases[(i + static_cast<std::size_t>(repeat)) % cases.size()];
      tell(fmt::format("{} (repeat {} of {})", bar.label(), repeat + 1, options.repeats));
      if (!bar.skipped.empty()) continue;
      bar.skipped = out_of_memory([&] { sitting.run(bar, /*watch=*/repeat == 0 && bar.watched); });
    }
  }
  report.complete = !stop.stop_requested();
  for (const Case& bar : cases)
    if (!bar.tokens_per_s.empty() || !bar.skipped.empty())
      report.bars.push_back(summarise(bar, options, report.roofline));
  if (report.bars.empty() && !report.complete)
    return Error{ErrorCode::Cancelled, "The benchmark was stopped before a bar was measured."};
  tell(report.complete ? "done" : "stopped");
  return report;
}

}  // namespace tandem
