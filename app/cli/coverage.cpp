// tandem-cli coverage: the numbers of the Coverage view, from a session.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/output.h"
#include "app/cli/validators.h"
#include "core/statistics/session_coverage.h"

namespace tandem::cli {
namespace {

struct Options {
  std::string session;
  CoverageOptions coverage;
  bool csv = false;
  bool json = false;
};

std::string estimateText(const Estimate& estimate) {
  if (!estimate.has_band) return fmt::format("{:.3f}", estimate.mean);
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", estimate.mean, estimate.band.low, estimate.band.high);
}

std::string differenceText(const Estimate& estimate) {
  if (!estimate.has_band) return fmt::format("{:+.3f}", estimate.mean);
  return fmt::format("{:+.3f} [{:+.3f}, {:+.3f}]", estimate.mean, estimate.band.low, estimate.band.high);
}

/// A named row of numbers of the report, one per k or per second value.
struct Curve {
  std::string model;
  std::string measure;
  const std::vector<Estimate>* estimates = nullptr;  // or
  const std::vector<double>* values = nullptr;       // numbers without an interval
};

void addCurve(std::vector<Curve>& curves, const std::string& model, const char* measure,
              const std::vector<Estimate>& estimates) {
  if (!estimates.empty()) curves.push_back({model, measure, &estimates, nullptr});
}

std::vector<Curve> curvesOverK(const CoverageReport& report) {
  std::vector<Curve> curves;
  for (const RunCoverage& run : report.runs) {
    addCurve(curves, run.model, "coverage", run.coverage_k);
    addCurve(curves, run.model, "majority", run.majority_k);
    addCurve(curves, run.model, "weighted", run.weighted_k);
  }
  for (std::size_t i = 0; i < report.differences.size(); ++i)
    addCurve(curves, report.runs[i + 1].model, "difference", report.differences[i].k);
  return curves;
}

std::vector<Curve> curvesOverSeconds(const CoverageReport& report) {
  std::vector<Curve> curves;
  for (const RunCoverage& run : report.runs) {
    addCurve(curves, run.model, "coverage", run.coverage_t);
    if (!run.resampled_t.empty()) curves.push_back({run.model, "resampled", nullptr, &run.resampled_t});
    addCurve(curves, run.model, "majority", run.majority_t);
    curves.push_back({run.model, "finished", nullptr, &run.median_finished_t});
  }
  for (std::size_t i = 0; i < report.differences.size(); ++i)
    addCurve(curves, report.runs[i + 1].model, "difference", report.differences[i].t);
  return curves;
}

std::string cellText(const Curve& curve, std::size_t i) {
  if (curve.measure == "difference") return differenceText((*curve.estimates)[i]);
  if (curve.estimates != nullptr) return estimateText((*curve.estimates)[i]);
  return fmt::format("{:.{}f}", (*curve.values)[i], curve.measure == "finished" ? 1 : 3);
}

/// One table a model, as a line with all of them would be too long.
template <typename Value>
void printTables(const CoverageReport& report, const std::vector<Curve>& curves, const std::string& axis,
                 const std::vector<Value>& values, std::size_t step) {
  for (const RunCoverage& run : report.runs) {
    std::vector<std::string> heading = {axis};
    for (const Curve& curve : curves)
      if (curve.model == run.model) heading.push_back(curve.measure);
    Table table(heading);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if ((values.size() - 1 - i) % step != 0) continue;
      std::vector<std::string> row = {fmt::format("{:.4g}", static_cast<double>(values[i]))};
      for (const Curve& curve : curves)
        if (curve.model == run.model) row.push_back(cellText(curve, i));
      table.addRow(row);
    }
    fmt::print("\n{}\n", run.model);
    table.print();
  }
}

/// The values to say a sentence about: those asked for, or the first (middle for seconds) and the last.
template <typename Value>
std::vector<Value> spokenValues(const std::vector<Value>& asked, const std::vector<Value>& all,
                                std::size_t first) {
  if (!asked.empty() || all.empty()) return asked;
  std::vector<Value> values = {all[first]};
  if (all[first] != all.back()) values.push_back(all.back());
  return values;
}

std::vector<std::string> sentences(const CoverageReport& report, const CoverageOptions& options) {
  std::vector<std::string> lines;
  for (const std::int64_t k : spokenValues(options.k, report.k, 0))
    lines.push_back(leader_sentence_at_k(report, k));
  for (const double seconds : spokenValues(options.seconds, report.seconds, report.seconds.size() / 2))
    lines.push_back(leader_sentence_at_seconds(report, seconds));
  for (std::size_t i = 0; i < report.differences.size(); ++i) {
    const std::string pair = report.runs[i + 1].model + " and " + report.runs[0].model;
    std::vector<std::string> crossings;
    for (const double seconds : report.differences[i].crossings_s) crossings.push_back(durationText(seconds));
    lines.push_back(crossings.empty()
                        ? fmt::format("No crossing seen between {}.", pair)
                        : fmt::format("The curves of {} cross at {}.", pair, fmt::join(crossings, " and ")));
  }
  return lines;
}

void printText(const CoverageReport& report, const CoverageOptions& options) {
  fmt::print("Coverage over {} problems", report.problem_ids.size());
  if (report.left_out > 0) fmt::print(" ({} left out: not complete in every run)", report.left_out);
  fmt::print(
      ", 95 % intervals over problems; differences are against {};\nseconds are of decoding, prefill apart\n",
      report.runs.front().model);
  for (const RunCoverage& run : report.runs) {
    fmt::print("{}: {} finished completions or more of each problem, {:.1f} tokens each, {:.0f} tokens/s\n",
               run.model, run.n, run.mean_tokens, run.tokens_per_s);
    if (!run.resampled_note.empty()) fmt::print("  resampled orders: {}\n", run.resampled_note);
  }
  printTables(report, curvesOverK(report), "k", report.k, 1);
  constexpr std::size_t kEveryFifth = 5;  // of the 60 default values; JSON and CSV have all
  printTables(report, curvesOverSeconds(report), "seconds", report.seconds,
              options.seconds.empty() ? kEveryFifth : 1);
  fmt::print("\n");
  for (const std::string& line : sentences(report, options)) fmt::print("{}\n", line);
}

template <typename Value>
void printCsvRows(const std::vector<Curve>& curves, const char* axis, const std::vector<Value>& values) {
  for (const Curve& curve : curves)
    for (std::size_t i = 0; i < values.size(); ++i) {
      fmt::print("{},{},{},{},", axis, values[i], curve.model, curve.measure);
      if (curve.estimates == nullptr) {
        fmt::print("{},,\n", (*curve.values)[i]);
        continue;
      }
      const Estimate& estimate = (*curve.estimates)[i];
      fmt::print("{},", estimate.mean);
      if (estimate.has_band) {
        fmt::print("{},{}\n", estimate.band.low, estimate.band.high);
      } else {
        fmt::print(",\n");
      }
    }
}

nlohmann::json curveJson(const Curve& curve) {
  nlohmann::json object = {
      {"model", curve.model}, {"measure", curve.measure}, {"mean", nlohmann::json::array()}};
  if (curve.estimates == nullptr) {
    object["mean"] = *curve.values;
    return object;
  }
  for (const Estimate& estimate : *curve.estimates) {
    object["mean"].push_back(estimate.mean);
    if (!estimate.has_band) continue;
    object["low"].push_back(estimate.band.low);
    object["high"].push_back(estimate.band.high);
  }
  return object;
}

nlohmann::json reportJson(const CoverageReport& report, const Options& options) {
  nlohmann::json json = {{"session", options.session},  {"problems", report.problem_ids.size()},
                         {"left_out", report.left_out}, {"k", report.k},
                         {"seconds", report.seconds},   {"sentences", sentences(report, options.coverage)}};
  for (const RunCoverage& run : report.runs)
    json["runs"].push_back({{"model", run.model},
                            {"is_teacher", run.is_teacher},
                            {"shared_device", run.shared_device},
                            {"finished_completions", run.n},
                            {"pass_at_1", run.pass_at_1},
                            {"cut_fraction", run.cut_fraction},
                            {"mean_tokens", run.mean_tokens},
                            {"tokens_per_s", run.tokens_per_s},
                            {"resampled_note", run.resampled_note}});
  for (const Curve& curve : curvesOverK(report)) json["curves_k"].push_back(curveJson(curve));
  for (const Curve& curve : curvesOverSeconds(report)) json["curves_seconds"].push_back(curveJson(curve));
  for (std::size_t i = 0; i < report.differences.size(); ++i)
    json["crossings"].push_back({{"model", report.runs[i + 1].model},
                                 {"against", report.runs[0].model},
                                 {"seconds", report.differences[i].crossings_s}});
  return json;
}

int runCoverage(const Options& options) {
  const auto session = Session::open(options.session, true);
  if (!session) return fail(session.error());
  const auto report = coverage_report(**session, options.coverage);
  if (!report) return fail(report.error());
  if (options.json) {
    printJson(reportJson(*report, options));
  } else if (options.csv) {
    fmt::print("axis,at,model,measure,mean,low,high\n");
    printCsvRows(curvesOverK(*report), "k", report->k);
    printCsvRows(curvesOverSeconds(*report), "seconds", report->seconds);
  } else {
    printText(*report, options.coverage);
  }
  return 0;
}

}  // namespace

void addCoverageCommand(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("coverage", "Coverage and majority accuracy against completions and seconds");
  auto options = std::make_shared<Options>();
  command->add_option("--session", options->session, "The session to read")->required();
  command
      ->add_option("--k", options->coverage.k, "Numbers of completions: 1,8,64; powers of two if not given")
      ->delimiter(',')
      ->check(kAboveZero);
  command
      ->add_option("--seconds", options->coverage.seconds,
                   "Seconds of decoding: 0.5,1,2; 60 values if not given")
      ->delimiter(',')
      ->check(kAboveZero);
  command->add_option("--seed", options->coverage.seed, "Seed of the intervals")->capture_default_str();
  auto* csv = command->add_flag("--csv", options->csv, "Print comma-separated values, one number a line");
  command->add_flag("--json", options->json, "Print JSON")->excludes(csv);
  command->callback([options, &action] { action = [options] { return runCoverage(*options); }; });
}

}  // namespace tandem::cli
