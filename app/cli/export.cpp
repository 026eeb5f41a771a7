// tandem-cli export: a training run as a model folder to ship.
#include "core/training/export.h"

#include <fmt/format.h>

#include "app/cli/commands.h"
#include "app/cli/output.h"

namespace tandem::cli {
namespace {

struct ExportCommand {
  std::string run;
  std::string out;
};

int runExport(const ExportCommand& command) {
  if (const Status done = training::export_run(command.run, command.out); !done) return fail(done.error());
  fmt::print("{}: weights in bf16, with the recipe and {}\n", command.out, training::kCurveName);
  return 0;
}

}  // namespace

void addExportCommand(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("export", "Writes a training run as a model folder to ship: bf16 weights");
  auto options = std::make_shared<ExportCommand>();
  command->add_option("--run", options->run, "Folder of a training run")->required();
  command->add_option("--out", options->out, "The model folder to write")->required();
  command->callback([options, &action] { action = [options] { return runExport(*options); }; });
}

}  // namespace tandem::cli
