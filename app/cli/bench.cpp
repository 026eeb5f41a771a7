// tandem-cli bench: decode speed over batches, each bar beside what this machine allows at most.
#include "core/jobs/bench.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/output.h"
#include "app/cli/progress.h"
#include "app/cli/run_options.h"
#include "app/cli/validators.h"
#include "core/base/file.h"
#include "core/models/memory_plan.h"

namespace tandem::cli {
namespace {

constexpr const char* kPublished = "published";

struct Options {
  std::vector<std::string> models, shapes;
  LoadOptions load;
  std::string weights;
  std::optional<std::int64_t> prompt, tokens;
  std::optional<int> repeats;
  std::vector<int> batches;
  int threads = 1;
  std::uint64_t seed = 0;
  StateStorage storage;
  std::string session;
  std::optional<std::string> json;  // a file; empty: standard output

  BenchOptions chosen() const {
    BenchOptions result = default_bench_options(load.device);
    result.prompt_tokens = prompt.value_or(result.prompt_tokens);
    result.generated_tokens = tokens.value_or(result.generated_tokens);
    result.repeats = repeats.value_or(result.repeats);
    if (!batches.empty()) result.batches = batches;
    result.threads = threads;
    result.seed = seed;
    result.storage = storage;
    return result;
  }
};

/// Models that are in memory together.
struct Sitting {
  std::vector<std::string> models, shapes;
};

std::string percent(double share) {
  return fmt::format("{:.{}f} %", 100 * share, share < 0.1 ? 1 : 0);
}

std::string rateText(double tokensPerSecond) {
  return fmt::format("{:.{}f}", tokensPerSecond, tokensPerSecond < 100 ? 1 : 0);
}

void printBars(const BenchReport& report) {
  Table table({"model", "variant", "batch", "tokens/s", "lowest", "highest", "step p50", "prefill",
               "roofline", "share", "bound by", "cache", "memory"});
  for (const BenchBar& bar : report.bars) {
    std::vector<std::string> row = {bar.model, bar.variant, std::to_string(bar.batch)};
    if (!bar.skipped.empty()) {
      row.push_back("not run");
    } else {
      for (std::string& cell : std::vector<std::string>{
               rateText(bar.tokens_per_s), rateText(bar.tokens_per_s_min), rateText(bar.tokens_per_s_max),
               fmt::format("{:.2f} ms", 1e3 * bar.step_p50_s), durationText(bar.prefill_s),
               rateText(bar.roofline_tokens_per_s), percent(bar.roofline_share), bar.bound,
               bytesText(bar.cache_bytes), bytesText(bar.memory_bytes)})
        row.push_back(std::move(cell));
    }
    table.addRow(row);
  }
  table.print();
  for (const BenchBar& bar : report.bars)
    if (!bar.skipped.empty())
      fmt::print("{}, {}, batch {}: not run, {}\n", bar.model, bar.variant, bar.batch, bar.skipped);
}

/// What there is room for. "Free" counts what is left beside all models of a sitting.
void printFits(const BenchReport& report) {
  Table table({"model", "variant", "parameters", "weights", "model in memory", "prompt", "each completion",
               "free", "largest batch that fits"});
  for (const BenchFit& fit : report.fits)
    table.addRow({fit.model, fit.variant, scaledText(static_cast<double>(fit.parameters)), fit.weights,
                  bytesText(fit.model_bytes), bytesText(fit.prompt_bytes), bytesText(fit.completion_bytes),
                  fit.free_bytes > 0 ? bytesText(fit.free_bytes) : "unknown",
                  fit.free_bytes > 0 ? std::to_string(fit.largest_batch) : "unknown"});
  table.print();
  std::set<std::string> random;
  for (const BenchFit& fit : report.fits)
    if (fit.random_weights) random.insert(fit.model);
  if (!random.empty()) fmt::print("Random weights in the shape of: {}\n", fmt::join(random, ", "));
}

/// What sharing the prompt's cache buys, at the largest batch that ran both ways.
void printSharingGain(const BenchReport& report) {
  const BenchBar* shared = nullptr;
  const BenchBar* separate = nullptr;
  for (const BenchBar& a : report.bars)
    for (const BenchBar& b : report.bars)
      if (a.model == b.model && a.batch == b.batch && a.variant == "shared prefix" &&
          b.variant == "private prefix" && a.skipped.empty() && b.skipped.empty() &&
          (shared == nullptr || a.batch >= shared->batch)) {
        shared = &a;
        separate = &b;
      }
  if (shared == nullptr) return;
  fmt::print(
      "{}, batch {}: a shared prefix is {:.2f} times as fast as private ones ({} of its roofline against "
      "{})\n",
      shared->model, shared->batch, shared->tokens_per_s / separate->tokens_per_s,
      percent(shared->roofline_share), percent(separate->roofline_share));
}

void printReport(const BenchReport& report, bool onDevice) {
  fmt::print("{}; prompt of {} tokens, {} decoded, median of {} repeats\n", report.device,
             report.options.prompt_tokens, report.options.generated_tokens, report.options.repeats);
  const Roofline& roofline = report.roofline;
  fmt::print(
      "Measured now: {} in f32, {}{} {} memory, {} {} the last-level cache\n",
      scaledText(roofline.flops_per_s, "FLOP/s"),
      roofline.bf16_flops_per_s > 0 ? scaledText(roofline.bf16_flops_per_s, "FLOP/s") + " in bf16, " : "",
      scaledText(roofline.memory_bytes_per_s, "B/s"), onDevice ? "copied in" : "from",
      scaledText(roofline.cached_bytes_per_s, "B/s"), onDevice ? "copied in" : "from");
  printBars(report);
  printFits(report);
  printSharingGain(report);
  if (!report.complete) fmt::print("Stopped early: with the repeats it had.\n");
}

/// The models given, or the bundled family; then shapes, as many at once as are of one width and depth and
/// leave half of the memory to completions.
Result<std::vector<Sitting>> planSittings(const Options& options, const LoadOptions& load) {
  constexpr std::size_t kFamily = 3;  // the first bundled teacher and its students
  std::vector<Sitting> sittings;
  std::vector<std::string> models = options.models;
  if (models.empty() && options.shapes.empty()) {
    models = bundled_models();
    models.resize(std::min(models.size(), kFamily));
  }
  if (!models.empty()) sittings.push_back({models, {}});
  std::vector<std::string> shapes;
  for (const std::string& shape : options.shapes) {
    if (shape == kPublished)
      shapes.insert(shapes.end(), kPublishedShapes.begin(), kPublishedShapes.end());
    else
      shapes.push_back(shape);
  }
  const std::int64_t room = available_memory(load.device) / 2;
  std::int64_t taken = 0;
  std::pair<std::int64_t, std::size_t> size;  // width and depth
  for (const std::string& shape : shapes) {
    TANDEM_TRY(const ModelInfo info, inspect_shape(shape, load));
    const std::pair its = {info.d_model, info.layers.size()};
    if (its != size || taken + info.memory_bytes > room) {
      sittings.emplace_back();
      taken = 0;
    }
    size = its;
    taken += info.memory_bytes;
    sittings.back().shapes.push_back(shape);
  }
  return sittings;
}

Result<std::vector<std::shared_ptr<const Model>>> open(const Sitting& sitting, const LoadOptions& load) {
  if (!sitting.models.empty()) return openModels(sitting.models, load);
  std::vector<std::shared_ptr<const Model>> models;
  for (const std::string& shape : sitting.shapes) {
    TANDEM_TRY(auto model, makeRandomModel(shape, load));
    models.push_back(std::move(model));
  }
  return models;
}

/// Adds the bars of a sitting.
Result<BenchReport> measure(const Sitting& sitting, const LoadOptions& load, const BenchOptions& options,
                            BenchReport report) {
  TANDEM_TRY(const auto models, open(sitting, load));
  std::optional<Progress> progress;
  return bench(
      models, options,
      [&progress](int done, int total, const std::string& what) {
        if (!progress) progress.emplace("measurements", total);
        progress->update(done, what);
      },
      load.stop, std::move(report));
}

Status keep(const BenchReport& report, const Options& options) {
  if (!options.session.empty()) {
    TANDEM_TRY(const auto session, openOrCreateSession(options.session));
    TANDEM_RETURN_IF_ERROR(session->add_benchmark(to_json(report)));
    TANDEM_RETURN_IF_ERROR(session->flush());
  }
  if (!options.json || options.json->empty()) return {};
  const std::string text = to_json(report);
  return write_file(*options.json, std::array<std::string_view, 2>{text, "\n"});
}

int runBench(const Options& options) {
  const Interrupt interrupt;
  LoadOptions load = options.load;
  const bool narrow = options.weights.empty() ? load.device != nullptr : options.weights == "bf16";
  load.weights = narrow ? DType::BF16 : DType::F32;
  load.stop = interrupt.token();
  const auto sittings = planSittings(options, load);
  if (!sittings) return fail(sittings.error());
  BenchReport report;
  std::optional<Error> problem;
  for (const Sitting& sitting : *sittings) {
    auto more = measure(sitting, load, options.chosen(), report);
    if (more) {
      report = *std::move(more);
    } else {
      problem = more.error();
    }
    if (problem || !report.complete) break;
  }
  if (problem && report.bars.empty()) return fail(*problem);
  if (problem) report.complete = false;
  if (const Status kept = keep(report, options); !kept) return fail(kept.error());
  if (options.json && options.json->empty()) {
    fmt::print("{}\n", to_json(report));
  } else {
    printReport(report, load.device != nullptr);
  }
  if (problem) return fail(*problem);
  return report.complete ? 0 : 1;
}

}  // namespace

void addBenchCommand(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("bench", "Decode speed over batches, with shares of the roofline measured now");
  auto options = std::make_shared<Options>();
  addModelOption(*command, options->models)->required(false);
  command
      ->add_option(
          "--shape", options->shapes,
          fmt::format("Random weights in the shape of a published model ({}; \"{}\" is all of them), or "
                      "of the config.json in a folder. Shapes of one width and depth are measured "
                      "together, bar beside bar, as far as the memory allows; then the next",
                      fmt::join(kPublishedShapes, ", "), kPublished))
      ->take_all();
  addLoadOptions(*command, options->load);
  const BenchOptions onCpu = default_bench_options(nullptr);
  const auto number = [&command](const char* name, auto& value, std::string help) {
    command->add_option(name, value, std::move(help))->check(kAboveZero);
  };
  number("--prompt", options->prompt, fmt::format("Tokens of the prompt [{}]", onCpu.prompt_tokens));
  number("--tokens", options->tokens,
         fmt::format("Timed decode steps of each repeat [{}; on a device 512 with the warm-up]",
                     onCpu.generated_tokens));
  number("--threads", options->threads, "Threads [1]");
  number("--repeats", options->repeats,
         fmt::format("Repeats of each bar, interleaved [{}; 3 on a device]", onCpu.repeats));
  command
      ->add_option("--batches", options->batches,
                   "Completions decoded together: 1,8,64 [powers of 2 up to 64; up to 1024 on a device]")
      ->delimiter(',')
      ->check(kAboveZero);
  command->add_option("--seed", options->seed, "Seed of the prompt")->capture_default_str();
  command->add_option("--weights", options->weights, "Type of the packed weights [f32; bf16 on a device]")
      ->check(CLI::IsMember({"f32", "bf16"}));
  addStateTypeOptions(*command, options->storage);
  command->add_option("--session", options->session, "Keep the result in this session file");
  command
      ->add_option_function<std::vector<std::string>>(
          "--json",
          [options](const std::vector<std::string>& file) {
            options->json = file.empty() ? std::string() : file.front();
          },
          "Print JSON; with a file's name, write it there beside the table")
      ->expected(0, 1)
      ->type_name("[FILE]");
  command->callback([options, &action] { action = [options] { return runBench(*options); }; });
}

}  // namespace tandem::cli
