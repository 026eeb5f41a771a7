// tandem-cli train, distil, sft and verifier: run a recipe of their kind.
#include <filesystem>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/output.h"
#include "app/cli/progress.h"
#include "app/cli/run_options.h"
#include "app/cli/validators.h"
#include "core/base/resources.h"
#include "core/jobs/training_recorder.h"

namespace tandem::cli {
namespace {

struct TrainCommand {
  std::string recipe;
  training::TrainingOptions options;
  std::string session;
  bool json = false;
};

/// A path, or the name of a bundled recipe.
std::string recipePath(const std::string& nameOrPath) {
  std::error_code ignored;
  if (std::filesystem::exists(nameOrPath, ignored)) return nameOrPath;
  const std::string bundled = resource_path("recipes/" + nameOrPath + ".json");
  return std::filesystem::exists(bundled, ignored) ? bundled : nameOrPath;
}

/// The progress line: of sampling, then of the updates over all stages.
class ProgressObserver final : public training::TrainingObserver {
 public:
  explicit ProgressObserver(const training::Recipe& recipe) : m_recipe(recipe) {}

  void on_sampled(std::int64_t done, std::int64_t problems) override {
    if (!m_line) m_line.emplace("problems sampled", problems);
    m_line->update(done, {});
  }
  Status on_begin(const training::TrainingStart& /*start*/) override {
    m_line.emplace("updates", before(std::ssize(m_recipe.stages)));
    return {};
  }
  Status on_update(const training::TrainingUpdate& update) override {
    m_line->update(before(update.stage) + update.step,
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
  std::optional<Progress> m_line;
};

/// The session to record in: the file, or a new one of that name.
Result<std::shared_ptr<Session>> openSession(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored) ? Session::open(path) : Session::create(path);
}

Result<training::TrainingResult> runRecorded(const training::Recipe& recipe, const TrainCommand& command,
                                             std::stop_token stop) {
  std::shared_ptr<Session> session;
  if (!command.session.empty()) {
    TANDEM_TRY(session, openSession(command.session));
  }
  ProgressObserver progress(recipe);
  if (!session) return run_training(recipe, command.options, progress, std::move(stop));
  TrainingRecorder recorder(*session, recipe, command.options, &progress);
  return run_training(recipe, command.options, recorder, std::move(stop));
}

int runTrain(const TrainCommand& command, const std::string& name) {
  const Interrupt interrupt;
  const auto recipe = training::read_recipe(recipePath(command.recipe));
  if (!recipe) return fail(recipe.error());
  if (const std::string wanted = recipe_command(*recipe); wanted != name)
    return fail({ErrorCode::InvalidArgument, fmt::format("{}: is a recipe for the {} command, not for {}",
                                                         command.recipe, wanted, name)});
  const auto result = runRecorded(*recipe, command, interrupt.token());
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

void addCommand(CLI::App& app, Action& action, const char* name, const char* description) {
  auto* command = app.add_subcommand(name, description);
  auto options = std::make_shared<TrainCommand>();
  command->add_option("--recipe", options->recipe, "A bundled name or a .json file")->required();
  command->add_option("--out", options->options.folder, "Folder for the model and its checkpoints")
      ->required();
  command->add_option("--session", options->session, "Record the run in this session; made if absent");
  command->add_flag("--resume", options->options.resume, "Go on from the folder's checkpoint");
  command->add_option("--threads", options->options.threads, "Threads")
      ->check(kAboveZero)
      ->capture_default_str();
  addDeviceOption(*command, options->options.device);
  command->add_flag("--json", options->json, "Print JSON");
  command->callback(
      [options, name, &action] { action = [options, name] { return runTrain(*options, name); }; });
}

}  // namespace

void addTrainingCommands(CLI::App& app, Action& action) {
  addCommand(app, action, "train", "Trains a model from scratch as a recipe says");
  addCommand(app, action, "distil", "Distils a teacher into a student as a recipe says");
  addCommand(app, action, "sft", "Fine-tunes a model as a recipe says");
  addCommand(app, action, "verifier", "Trains a verifier of completions as a recipe says");
}

}  // namespace tandem::cli
