// tandem-cli bench: decode speed over batches, each bar beside what this machine allows at most.
#include "core/jobs/bench.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/output.h"
#include "app/cli/progress.h"
#include "app/cli/run_options.h"
#include "app/cli/validators.h"

namespace tandem::cli {
namespace {

struct Options {
  std::vector<std::string> models;
  LoadOptions load;
  std::string weights = "f32";
  BenchOptions bench;
  std::string session;
  bool json = false;
};

std::string percent(double share) {
  return fmt::format("{:.{}f} %", 100 * share, share < 0.1 ? 1 : 0);
}

void printBars(const BenchReport& report) {
  Table table({"model", "variant", "batch", "tokens/s", "lowest", "highest", "step p50", "prefill",
               "roofline", "share", "bound by", "cache"});
  for (const BenchBar& bar : report.bars) {
    std::vector<std::string> row = {bar.model, bar.variant, std::to_string(bar.batch)};
    if (!bar.skipped.empty()) {
      row.push_back("not run");
    } else {
      for (std::string& cell : std::vector<std::string>{
               fmt::format("{:.0f}", bar.tokens_per_s), fmt::format("{:.0f}", bar.tokens_per_s_min),
               fmt::format("{:.0f}", bar.tokens_per_s_max), fmt::format("{:.2f} ms", 1e3 * bar.step_p50_s),
               durationText(bar.prefill_s), fmt::format("{:.0f}", bar.roofline_tokens_per_s),
               percent(bar.roofline_share), bar.bound, bytesText(bar.cache_bytes)})
        row.push_back(std::move(cell));
    }
    table.addRow(row);
  }
  table.print();
  for (const BenchBar& bar : report.bars)
    if (!bar.skipped.empty())
      fmt::print("{}, {}, batch {}: not run, {}\n", bar.model, bar.variant, bar.batch, bar.skipped);
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

void printReport(const BenchReport& report) {
  fmt::print("{}; prompt of {} tokens, {} decoded, median of {} repeats\n", report.device,
             report.options.prompt_tokens, report.options.generated_tokens, report.options.repeats);
  fmt::print("Measured now: {}, {} from memory, {} from the last-level cache\n",
             scaledText(report.roofline.flops_per_s, "FLOP/s"),
             scaledText(report.roofline.memory_bytes_per_s, "B/s"),
             scaledText(report.roofline.cached_bytes_per_s, "B/s"));
  printBars(report);
  printSharingGain(report);
  if (!report.complete) fmt::print("Stopped early: with the repeats it had.\n");
}

int runBench(const Options& options) {
  const Interrupt interrupt;
  constexpr std::size_t kFamily = 3;  // the first bundled teacher and its students
  std::vector<std::string> names = options.models.empty() ? bundled_models() : options.models;
  if (options.models.empty()) names.resize(std::min(names.size(), kFamily));
  LoadOptions load = options.load;
  load.weights = options.weights == "bf16" ? DType::BF16 : DType::F32;
  load.stop = interrupt.token();
  const auto models = openModels(names, load);
  if (!models) return fail(models.error());
  std::optional<Progress> progress;
  const auto report = bench(
      *models, options.bench,
      [&progress](int done, int total, const std::string& what) {
        if (!progress) progress.emplace("measurements", total);
        progress->update(done, what);
      },
      interrupt.token());
  progress.reset();
  if (!report) return fail(report.error());
  if (!options.session.empty()) {
    const auto session = openOrCreateSession(options.session);
    if (!session) return fail(session.error());
    if (const Status added = (*session)->add_benchmark(to_json(*report)); !added) return fail(added.error());
    if (const Status kept = (*session)->flush(); !kept) return fail(kept.error());
  }
  if (options.json) {
    fmt::print("{}\n", to_json(*report));
  } else {
    printReport(*report);
  }
  return report->complete ? 0 : 1;
}

}  // namespace

void addBenchCommand(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("bench", "Decode speed over batches, with shares of the roofline measured now");
  auto options = std::make_shared<Options>();
  addModelOption(*command, options->models)->required(false);
  addLoadOptions(*command, options->load);
  const auto number = [&command](const char* name, auto& value, const char* help) {
    command->add_option(name, value, help)->check(kAboveZero)->capture_default_str();
  };
  number("--prompt", options->bench.prompt_tokens, "Tokens of the prompt");
  number("--tokens", options->bench.generated_tokens, "Decode steps of each repeat");
  number("--threads", options->bench.threads, "Threads");
  number("--repeats", options->bench.repeats, "Repeats of each bar, interleaved");
  command->add_option("--batches", options->bench.batches, "Completions decoded together: 1,8,64")
      ->delimiter(',')
      ->check(kAboveZero)
      ->capture_default_str();
  command->add_option("--seed", options->bench.seed, "Seed of the prompt")->capture_default_str();
  command->add_option("--weights", options->weights, "Type of the packed weights")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str();
  command->add_option("--session", options->session, "Keep the result in this session file");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &action] { action = [options] { return runBench(*options); }; });
}

}  // namespace tandem::cli
