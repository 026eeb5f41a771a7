#include "core/training/recipe.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <initializer_list>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "core/base/json.h"

namespace tandem::training {
namespace {

using nlohmann::json;

constexpr std::int64_t kMost = std::int64_t{1} << 40;  // of counts that have no natural bound
constexpr std::array kGoals = {Goal::Tokens, Goal::Matrices,      Goal::Hidden,
                               Goal::Logits, Goal::LogitsReverse, Goal::Outcome};

/// An object of the recipe with its path for messages.
struct Section {
  const json& value;
  std::string where;
  JsonFields fields() const { return {value, where}; }
};

Status only(const Section& section, std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : section.value.items())
    if (std::find(known.begin(), known.end(), name) == known.end())
      return Error{ErrorCode::BadFormat, fmt::format("{}: '{}' is not a setting", section.where, name)};
  return {};
}

/// The member object `name`, or an empty one when it is absent and may be.
Result<Section> member(const Section& section, const char* name, bool required) {
  static const json kNothing = json::object();
  const std::string where = fmt::format("{}: {}", section.where, name);
  if (!required && !section.fields().has(name)) return Section{kNothing, where};
  TANDEM_TRY(const json* const object, section.fields().object(name));
  return Section{*object, where};
}

Status read_corpus(const Section& top, Recipe& recipe) {
  TANDEM_TRY(const Section corpus, member(top, "corpus", true));
  TANDEM_RETURN_IF_ERROR(only(corpus, {"seed", "min_steps", "max_steps", "direct_share", "prompt_weight"}));
  const JsonFields fields = corpus.fields();
  TANDEM_TRY(const std::int64_t seed, fields.integer("seed", 0, kMost));
  TANDEM_TRY(const std::int64_t least, fields.integer("min_steps", corpus::kMinSteps, corpus::kMaxSteps, 2));
  TANDEM_TRY(const std::int64_t most,
             fields.integer("max_steps", least, corpus::kMaxSteps, corpus::kMaxSteps));
  TANDEM_TRY(recipe.corpus.direct_share, fields.number("direct_share", 0, 1, 0));
  TANDEM_TRY(recipe.prompt_weight, fields.number("prompt_weight", 0, 1, recipe.prompt_weight));
  recipe.corpus.problems.seed = static_cast<std::uint64_t>(seed);
  recipe.corpus.problems.min_steps = static_cast<int>(least);
  recipe.corpus.problems.max_steps = static_cast<int>(most);
  return {};
}

Status read_completions(const Section& top, Recipe& recipe) {
  if (!top.fields().has("completions")) return {};
  TANDEM_TRY(const Section section, member(top, "completions", true));
  TANDEM_RETURN_IF_ERROR(
      only(section, {"model", "problems", "per_problem", "temperature", "max_tokens", "seed"}));
  const JsonFields fields = section.fields();
  CompletionSettings completions;
  TANDEM_TRY(completions.model, fields.text("model"));
  TANDEM_TRY(completions.problems, fields.integer("problems", 1, 1 << 24, completions.problems));
  TANDEM_TRY(completions.per_problem, fields.integer("per_problem", 1, 1 << 16, completions.per_problem));
  TANDEM_TRY(completions.temperature, fields.number("temperature", 0, 100, completions.temperature));
  TANDEM_TRY(completions.max_tokens, fields.integer("max_tokens", 1, 1 << 20, completions.max_tokens));
  TANDEM_TRY(const std::int64_t seed, fields.integer("seed", 0, kMost, 0));
  completions.seed = static_cast<std::uint64_t>(seed);
  recipe.completions = completions;
  return {};
}

Status read_tokenizer_settings(const Section& top, Recipe& recipe) {
  TANDEM_TRY(const Section tokenizer, member(top, "tokenizer", false));
  TANDEM_RETURN_IF_ERROR(only(tokenizer, {"vocab", "examples"}));
  const JsonFields fields = tokenizer.fields();
  TANDEM_TRY(recipe.tokenizer.vocab, fields.integer("vocab", 257, 1 << 20, recipe.tokenizer.vocab));
  TANDEM_TRY(recipe.tokenizer_examples, fields.integer("examples", 1, kMost, recipe.tokenizer_examples));
  return {};
}

Status read_schedule(const Section& stage, Schedule& schedule) {
  TANDEM_TRY(const Section section, member(stage, "schedule", true));
  TANDEM_RETURN_IF_ERROR(only(section, {"kind", "peak", "warmup", "steps", "final_share", "decay_share"}));
  const JsonFields fields = section.fields();
  TANDEM_TRY(const std::string kind, fields.text("kind", "cosine"));
  if (kind != "cosine" && kind != "wsd") return fields.wrong("kind", "\"cosine\" or \"wsd\"");
  schedule.kind = kind == "wsd" ? ScheduleKind::Wsd : ScheduleKind::Cosine;
  TANDEM_TRY(schedule.peak, fields.number("peak", 0, 10));
  TANDEM_TRY(schedule.steps, fields.integer("steps", 1, kMost));
  TANDEM_TRY(schedule.warmup, fields.integer("warmup", 0, schedule.steps, 0));
  TANDEM_TRY(schedule.final_share, fields.number("final_share", 0, 1, schedule.final_share));
  TANDEM_TRY(schedule.decay_share, fields.number("decay_share", 0, 1, schedule.decay_share));
  return {};
}

Status read_optimizer(const Section& stage, AdamWSettings& settings) {
  TANDEM_TRY(const Section section, member(stage, "optimizer", false));
  TANDEM_RETURN_IF_ERROR(only(section, {"beta1", "beta2", "eps", "weight_decay", "clip"}));
  const JsonFields fields = section.fields();
  TANDEM_TRY(settings.beta1, fields.number("beta1", 0, 0.999999, settings.beta1));
  TANDEM_TRY(settings.beta2, fields.number("beta2", 0, 0.999999, settings.beta2));
  TANDEM_TRY(settings.eps, fields.number("eps", 1e-20, 1, settings.eps));
  TANDEM_TRY(settings.weight_decay, fields.number("weight_decay", 0, 10, settings.weight_decay));
  TANDEM_TRY(settings.clip, fields.number("clip", 0, 1e6, settings.clip));
  return {};
}

Result<Stage> read_stage(const Section& section) {
  TANDEM_RETURN_IF_ERROR(
      only(section, {"goal", "sequences", "tokens", "accumulate", "result_weight", "schedule", "optimizer"}));
  const JsonFields fields = section.fields();
  Stage stage;
  TANDEM_TRY(const std::string goal, fields.text("goal"));
  const auto named = goal_from_name(goal);
  if (!named)
    return fields.wrong("goal", R"("tokens", "matrices", "hidden", "logits", "logits_reverse" or "outcome")");
  stage.goal = *named;
  TANDEM_TRY(stage.shape.sequences, fields.integer("sequences", 1, 1 << 16));
  TANDEM_TRY(stage.shape.seqlen, fields.integer("tokens", 2, 1 << 16));
  TANDEM_TRY(stage.accumulate, fields.integer("accumulate", 1, 1 << 16, 1));
  TANDEM_TRY(stage.result_weight, fields.number("result_weight", 0, 1000, stage.result_weight));
  TANDEM_RETURN_IF_ERROR(read_schedule(section, stage.schedule));
  TANDEM_RETURN_IF_ERROR(read_optimizer(section, stage.optimizer));
  return stage;
}

Status read_stages(const Section& top, Recipe& recipe) {
  TANDEM_TRY(const json* const list, top.fields().array("stages"));
  for (const json& value : *list) {
    const std::string where = fmt::format("{}: stages[{}]", top.where, recipe.stages.size());
    if (!value.is_object())
      return Error{ErrorCode::BadFormat,
                   fmt::format("{} is {}, wanted an object", where, describe_json(value))};
    TANDEM_TRY(const Stage stage, read_stage({value, where}));
    if (stage.goal != Goal::Tokens && stage.goal != Goal::Outcome && recipe.teacher.empty())
      return Error{ErrorCode::BadFormat,
                   fmt::format("{}: the goal \"{}\" needs a teacher", where, goal_name(stage.goal))};
    recipe.stages.push_back(stage);
  }
  if (recipe.stages.empty()) return top.fields().wrong("stages", "at least one stage");
  return {};
}

/// What the parts of a recipe ask of each other.
Status check_parts(const Section& top, const Recipe& recipe) {
  const auto refuse = [&](const char* why) {
    return Error{ErrorCode::BadFormat, fmt::format("{}: {}", top.where, why)};
  };
  if (recipe.config.empty() == recipe.start.empty())
    return refuse("one of 'model' (the config.json to make) and 'start' (the model to go on from) is needed");
  if (!recipe.start.empty() && !recipe.mamba_config.empty())
    return refuse("'mamba' goes with 'model'; the model named by 'start' has its own");
  if (recipe.completions && recipe.start.empty())
    return refuse("'completions' are for a model to go on from, which 'start' names");
  const auto outcomes = std::count_if(recipe.stages.begin(), recipe.stages.end(),
                                      [](const Stage& stage) { return stage.goal == Goal::Outcome; });
  if (outcomes == 0) return {};
  if (outcomes < std::ssize(recipe.stages))
    return refuse("a stage with the goal \"outcome\" trains a verifier, the others must do so too");
  if (recipe.completions && recipe.teacher.empty()) return {};
  return refuse("the goal \"outcome\" needs 'completions' to learn from, and no teacher");
}

}  // namespace

std::optional<Goal> goal_from_name(std::string_view name) {
  for (const Goal goal : kGoals)
    if (name == goal_name(goal)) return goal;
  return std::nullopt;
}

const char* goal_name(Goal goal) {
  constexpr std::array kNames = {"tokens", "matrices", "hidden", "logits", "logits_reverse", "outcome"};
  static_assert(kNames.size() == kGoals.size());
  return kNames[static_cast<std::size_t>(goal)];
}

const char* recipe_command(const Recipe& recipe) {
  if (recipe.makes_verifier()) return "verifier";
  if (!recipe.teacher.empty()) return "distil";
  return recipe.start.empty() ? "train" : "sft";
}

Result<Recipe> parse_recipe(const std::string& text, const std::string& name) {
  TANDEM_TRY(const json document, parse_json_object(text, name));
  const Section top{document, name};
  TANDEM_RETURN_IF_ERROR(only(top, {"seed", "model", "mamba", "teacher", "start", "corpus", "completions",
                                    "tokenizer", "stages", "checkpoint_every", "precision"}));
  const JsonFields fields = top.fields();
  Recipe recipe;
  recipe.json = text;
  TANDEM_TRY(const std::int64_t seed, fields.integer("seed", 0, kMost, 0));
  recipe.seed = static_cast<std::uint64_t>(seed);
  if (fields.has("model")) {
    TANDEM_TRY(const json* const model, fields.object("model"));
    recipe.config = model->dump(1) + "\n";
  }
  if (fields.has("mamba")) {
    TANDEM_TRY(const json* const mamba, fields.object("mamba"));
    recipe.mamba_config = mamba->dump(1) + "\n";
  }
  TANDEM_TRY(recipe.teacher, fields.text("teacher", ""));
  TANDEM_TRY(recipe.start, fields.text("start", ""));
  TANDEM_RETURN_IF_ERROR(read_corpus(top, recipe));
  TANDEM_RETURN_IF_ERROR(read_completions(top, recipe));
  TANDEM_RETURN_IF_ERROR(read_tokenizer_settings(top, recipe));
  TANDEM_RETURN_IF_ERROR(read_stages(top, recipe));
  TANDEM_RETURN_IF_ERROR(check_parts(top, recipe));
  TANDEM_TRY(recipe.checkpoint_every, fields.integer("checkpoint_every", 1, kMost, recipe.checkpoint_every));
  TANDEM_TRY(const std::string precision, fields.text("precision", "bf16"));
  if (precision != "f32" && precision != "bf16") return fields.wrong("precision", R"("f32" or "bf16")");
  recipe.precision = precision == "f32" ? Precision::F32 : Precision::BF16;
  return recipe;
}

Result<Recipe> with_teacher(const Recipe& recipe, const std::string& teacher) {
  TANDEM_TRY(json document, parse_json_object(recipe.json, "recipe"));
  document["teacher"] = teacher;
  return parse_recipe(document.dump(1) + "\n", "recipe");
}

Result<Recipe> read_recipe(const std::string& path) {
  constexpr std::int64_t kMaxBytes = 1 << 20;
  TANDEM_TRY(const std::string text, read_file(path, kMaxBytes));
  return parse_recipe(text, std::filesystem::path(path).filename().string());
}

}  // namespace tandem::training
