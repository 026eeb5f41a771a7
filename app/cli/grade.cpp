// tandem-cli grade: does the grader agree with decided verdicts?
#include <memory>
#include <string>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/output.h"
#include "core/grading/vectors.h"

namespace tandem::cli {
namespace {

struct GradeOptions {
  std::string vectors;
  bool json = false;
};

void printReport(const GradingAgreement& report) {
  const auto agreeing = report.total - static_cast<std::int64_t>(report.disagreements.size());
  fmt::print("{} of {} verdicts agree (grader {})\n", agreeing, report.total, kGraderVersion);
  for (const GradingDisagreement& item : report.disagreements)
    fmt::print("\ncase {} ({}){}{}\n  decided  {}\n  output   {}\n  answer   {}\n  gold     {}\n", item.index,
               answer_kind_name(item.kind), item.note.empty() ? "" : ": ", item.note,
               item.decided ? "equal" : "not equal", item.prediction, item.answer.value_or("(none)"),
               item.gold);
}

nlohmann::json reportJson(const GradingAgreement& report) {
  nlohmann::json list = nlohmann::json::array();
  for (const GradingDisagreement& item : report.disagreements)
    list.push_back({{"index", item.index},
                    {"kind", answer_kind_name(item.kind)},
                    {"prediction", item.prediction},
                    {"answer", item.answer ? nlohmann::json(*item.answer) : nlohmann::json()},
                    {"gold", item.gold},
                    {"equal", item.decided},
                    {"note", item.note}});
  return {{"total", report.total}, {"agreement", report.agreement()}, {"disagreements", std::move(list)}};
}

int grade(const GradeOptions& options) {
  const auto report = check_grading_vectors(options.vectors);
  if (!report) return fail(report.error());
  if (options.json)
    printJson(reportJson(*report));
  else
    printReport(*report);
  return report->disagreements.empty() ? 0 : 1;
}

}  // namespace

void addGradeCommand(CLI::App& app, Action& action) {
  auto options = std::make_shared<GradeOptions>();
  CLI::App* command = app.add_subcommand("grade", "Check the grader against a file of decided verdicts");
  command->add_option("--vectors", options->vectors, "JSON array of {kind, prediction, gold, equal, note}")
      ->required();
  command->add_flag("--json", options->json, "Print {total, agreement, disagreements} as JSON");
  command->callback([options, &action] { action = [options] { return grade(*options); }; });
}

}  // namespace tandem::cli
