// tandem-cli train, tandem-cli distil: run a recipe.
#include "core/training/train.h"

#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/output.h"
#include "app/cli/progress.h"
#include "app/cli/validators.h"
#include "core/base/resources.h"

namespace tandem::cli {
namespace {

struct TrainCommand {
  std::string recipe;
  training::TrainingOptions options;
  bool json = false;
};

/// A path, or the name of a bundled recipe.
std::string recipePath(const std::string& nameOrPath) {
  std::error_code ignored;
  if (std::filesystem::exists(nameOrPath, ignored)) return nameOrPath;
  const std::string bundled = resource_path("recipes/" + nameOrPath + ".json");
  return std::filesystem::exists(bundled, ignored) ? bundled : nameOrPath;
}

/// The progress line, over all stages.
class ProgressObserver final : public training::TrainingObserver {
 public:
  explicit ProgressObserver(const training::Recipe& recipe)
      : m_recipe(recipe), m_line("updates", before(std::ssize(recipe.stages))) {}

  Status on_update(const training::TrainingUpdate& update) override {
    m_line.update(before(update.stage) + update.step,
                  fmt::format("{}  loss {:.4f}  lr {:.2e}  {} tokens/s", goal_name(update.goal), update.loss,
                              update.learning_rate, scaledText(update.tokens_per_s)));
    return {};
  }

 private:
  std::int64_t before(std::int64_t stage) const {
    std::int64_t updates = 0;
    for (std::int64_t s = 0; s < stage; ++s)
      updates += m_recipe.stages[static_cast<std::size_t>(s)].schedule.steps;
    return updates;
  }
  const training::Recipe& m_recipe;
  Progress m_line;
};

/// `distils`: the recipe must name a teacher; otherwise it must not.
int runTrain(const TrainCommand& command, bool distils) {
  const Interrupt interrupt;
  const auto recipe = training::read_recipe(recipePath(command.recipe));
  if (!recipe) return fail(recipe.error());
  if (recipe->teacher.empty() == distils)
    return fail(
        {ErrorCode::InvalidArgument, fmt::format("{}: {}", command.recipe,
                                                 distils ? "names no teacher to distil; use the train command"
                                                         : "names a teacher; use the distil command")});
  const auto result = [&] {
    ProgressObserver progress(*recipe);
    return run_training(*recipe, command.options, progress, interrupt.token());
  }();
  if (!result) return fail(result.error());
  if (command.json)
    printJson({{"out", command.options.folder},
               {"finished", result->finished},
               {"tokens", result->tokens},
               {"loss", result->final_loss}});
  else
    fmt::print("{} after {} tokens: {}{}\n", result->finished ? "finished" : "stopped",
               scaledText(static_cast<double>(result->tokens)), command.options.folder,
               result->finished ? "" : " (go on with --resume)");
  return result->finished ? 0 : 1;
}

void addCommand(CLI::App& app, Action& action, const char* name, const char* description, bool distils) {
  auto* command = app.add_subcommand(name, description);
  auto options = std::make_shared<TrainCommand>();
  command->add_option("--recipe", options->recipe, "A bundled name or a .json file")->required();
  command->add_option("--out", options->options.folder, "Folder for the model and its checkpoints")
      ->required();
  command->add_flag("--resume", options->options.resume, "Go on from the folder's checkpoint");
  command->add_option("--threads", options->options.threads, "Threads")
      ->check(kAboveZero)
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  command->callback(
      [options, distils, &action] { action = [options, distils] { return runTrain(*options, distils); }; });
}

}  // namespace

void addTrainCommand(CLI::App& app, Action& action) {
  addCommand(app, action, "train", "Trains a model from scratch as a recipe says", false);
}

void addDistilCommand(CLI::App& app, Action& action) {
  addCommand(app, action, "distil", "Distils a teacher into a student as a recipe says", true);
}

}  // namespace tandem::cli
