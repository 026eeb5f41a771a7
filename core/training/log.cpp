#include "core/training/log.h"

#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "core/base/json.h"

namespace tandem::training {
namespace {

using nlohmann::json;

constexpr double kAnyNumber = 1e300;
constexpr std::int64_t kMostSteps = std::int64_t{1} << 40;
constexpr std::int64_t kMostTokens = std::int64_t{1} << 60;

std::int64_t tokens_per_update(const Stage& stage) {
  return stage.accumulate * stage.shape.rows();
}

Result<std::vector<double>> numbers(const json& line, const char* name, const std::string& where) {
  std::vector<double> values;
  const auto found = line.find(name);
  if (found == line.end()) return values;
  for (const json& value : *found) {
    if (!value.is_number()) return JsonFields(line, where).wrong(name, "numbers");
    values.push_back(value.get<double>());
  }
  return values;
}

Result<TrainingUpdate> update_of(const std::string& text, const std::string& where, const Recipe& recipe,
                                 std::int64_t tokens_before) {
  TANDEM_TRY(const json line, parse_json_object(text, where));
  const JsonFields fields(line, where);
  TrainingUpdate update;
  TANDEM_TRY(update.stage, fields.integer("stage", 0, std::ssize(recipe.stages) - 1));
  const Stage& stage = recipe.stages[static_cast<std::size_t>(update.stage)];
  update.goal = stage.goal;
  update.steps = stage.schedule.steps;
  TANDEM_TRY(update.step, fields.integer("step", 1, kMostSteps));
  TANDEM_TRY(update.tokens,
             fields.integer("tokens", 0, kMostTokens, tokens_before + tokens_per_update(stage)));
  TANDEM_TRY(update.loss, fields.number("loss", -kAnyNumber, kAnyNumber));
  TANDEM_TRY(update.learning_rate, fields.number("learning_rate", 0, kAnyNumber));
  TANDEM_TRY(update.gradient_norm, fields.number("gradient_norm", 0, kAnyNumber));
  TANDEM_TRY(update.tokens_per_s, fields.number("tokens_per_s", 0, kAnyNumber));
  TANDEM_TRY(update.distances, numbers(line, "distances", where));
  TANDEM_TRY(update.relative, numbers(line, "relative", where));
  return update;
}

}  // namespace

std::string log_line(const TrainingUpdate& update) {
  nlohmann::ordered_json line;
  line["stage"] = update.stage;
  line["goal"] = goal_name(update.goal);
  line["step"] = update.step;
  line["tokens"] = update.tokens;
  line["loss"] = update.loss;
  line["learning_rate"] = update.learning_rate;
  line["gradient_norm"] = update.gradient_norm;
  line["tokens_per_s"] = update.tokens_per_s;
  if (!update.distances.empty()) line["distances"] = update.distances;
  if (!update.relative.empty()) line["relative"] = update.relative;
  return line.dump() + "\n";
}

Result<std::vector<TrainingUpdate>> read_log(const std::string& folder, const Recipe& recipe) {
  constexpr std::int64_t kMaxBytes = std::int64_t{1} << 32;
  const std::string path = (std::filesystem::path(folder) / kLogName).string();
  TANDEM_TRY(const std::string text, read_file(path, kMaxBytes));
  std::vector<TrainingUpdate> updates;
  for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string where = fmt::format("{}: line {}", path, updates.size() + 1);
    const std::int64_t tokens = updates.empty() ? 0 : updates.back().tokens;
    TANDEM_TRY(TrainingUpdate update, update_of(text.substr(begin, end - begin), where, recipe, tokens));
    updates.push_back(std::move(update));
  }
  return updates;
}

}  // namespace tandem::training
